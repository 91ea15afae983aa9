"""Sessions: refresh tokens that are valid once, each replaced by the next (RFC 9700, 4.14.2).

A refresh token is the session's id and a secret, of which the database holds the digest only. The
secret is long and random, so that a fast digest is enough, and timing reveals nothing.
"""

import hashlib
import secrets
import uuid
from datetime import timedelta

ACCESS_LIFETIME = timedelta(minutes=15)
LIFETIME = timedelta(days=30)

START = """
    WITH expired AS (DELETE FROM sessions WHERE account_id = $2 AND expire_time < now())
    INSERT INTO sessions (id, account_id, digest, expire_time) VALUES ($1, $2, $3, now() + $4)
"""
# One statement: of two concurrent requests, the second waits for the row, then sees the new digest.
# A secret that is not the valid one was valid before, or is guessed: the session ends.
ROTATE = """
    UPDATE sessions
       SET digest = CASE WHEN sessions.digest = $2 THEN $3 END,
           expire_time = CASE WHEN sessions.digest = $2 THEN now() + $4 ELSE expire_time END
      FROM accounts
     WHERE sessions.id = $1 AND accounts.id = sessions.account_id AND expire_time > now()
    RETURNING sessions.digest IS NOT NULL AS is_valid, accounts.id, accounts.scopes
"""
END = "DELETE FROM sessions WHERE id = $1 AND account_id = $2"


async def start_session(tx, account_id):
    """Begin a session of the account, and return its first refresh token."""
    id = uuid.uuid4()
    token, digest = make_token(id)
    await tx.execute(START, id, account_id, digest, LIFETIME)
    return token


async def rotate(tx, token):
    """Return the account of *token* and the next token; None and None if *token* is not valid.

    NOTE: commit even then, as the session may have ended.
    """
    id, digest = read_token(token)
    following, following_digest = make_token(id)
    account = await tx.fetchrow(ROTATE, id, digest, following_digest, LIFETIME)
    return (account, following) if account and account["is_valid"] else (None, None)


async def end_session(tx, token, account_id):
    """End the session of *token*, if it belongs to the account."""
    await tx.execute(END, read_token(token)[0], account_id)


def make_token(id):
    """Return a new refresh token of the session *id*, and its digest."""
    secret = secrets.token_urlsafe(32)
    return f"{id.hex}.{secret}", digest_of(secret)


def read_token(token):
    """Return session and digest of *token*; for a malformed one, those of no session."""
    id, _, secret = token.partition(".")
    try:
        return uuid.UUID(hex=id), digest_of(secret)
    except ValueError:
        return uuid.UUID(int=0), digest_of(secret)


def digest_of(secret):
    """Return the digest of *secret*, which the database stores."""
    return hashlib.sha256(secret.encode()).hexdigest()
