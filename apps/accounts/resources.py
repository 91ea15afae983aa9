"""The endpoints of the accounts service."""

from apps.accounts.errors import AccountExists, WrongCredentials, WrongRefreshToken
from apps.accounts.models import Account
from apps.accounts.schemas import AccountSchema, CredentialsSchema, RefreshSchema, TokenSchema
from apps.accounts.sessions import ACCESS_LIFETIME, end_session, rotate, start_session
from msframework import Blueprint, NotFound, Reply, doc
from msframework.access import AuthenticatedBy, hash_password, verify_password

accounts = Blueprint("accounts", url_prefix="/accounts", description="Who may log in.")


@accounts.post("/")
@doc.public
@doc.summary("Register")
@doc.description("An email has one account, whatever letters of it are capitals.")
@doc.consumes(CredentialsSchema)
@doc.produces({"id": int}, status=201)
@doc.raises(AccountExists, constraint="accounts_email")
async def register(request, body, db):
    password = await hash_password(body["password"])  # takes its time, and no connection
    scopes = " ".join(request.app.settings.extra["new_account_scopes"])
    async with db.transaction() as tx:
        account = Account.insert(email=body["email"].lower(), password=password, scopes=scopes)
        return await tx.fetchrow(account.returning(Account.id))


@accounts.post("/login")
@doc.public
@doc.summary("Log in")
@doc.description("The access token is for all services, the refresh token for the next tokens.")
@doc.consumes(CredentialsSchema)
@doc.produces(TokenSchema, headers={"Cache-Control": "Nobody may keep the tokens."})
@doc.raises(WrongCredentials)
async def log_in(request, body, db):
    async with db.acquire() as cur:
        query = "SELECT id, password, scopes FROM accounts WHERE email = $1"
        account = await cur.fetchrow(query, body["email"].lower())
    # An account that is not there takes the time of a wrong password.
    checked = await verify_password(body["password"], account["password"] if account else None)
    if account is None or not checked:
        raise WrongCredentials()
    async with db.transaction() as tx:
        if checked.rehashed:  # the cost of new hashes has changed since
            renewed = Account.update(password=checked.rehashed).where(Account.id == account["id"])
            await tx.execute(renewed)
        token = await start_session(tx, account["id"])
    return answer_tokens(request, account, token)


@accounts.post("/refresh")
@doc.public
@doc.summary("Get the next tokens")
@doc.description("A refresh token is valid once; whoever uses one again ends the session.")
@doc.consumes(RefreshSchema)
@doc.produces(TokenSchema, headers={"Cache-Control": "Nobody may keep the tokens."})
@doc.raises(WrongRefreshToken)
async def refresh(request, body, db):
    async with db.transaction() as tx:
        account, token = await rotate(tx, body["refresh_token"])
    if account is None:  # raised where the end of the session is committed
        raise WrongRefreshToken()
    return answer_tokens(request, account, token)


@accounts.post("/logout")
@doc.guards(AuthenticatedBy("token"))
@doc.summary("Log out")
@doc.description("The session ends; its access tokens are valid until they expire.")
@doc.consumes(RefreshSchema)
@doc.produces(status=204)
async def log_out(request, body, tx, principal):
    await end_session(tx, body["refresh_token"], account_of(principal))


@accounts.get("/me")
@doc.guards(AuthenticatedBy("token"))
@doc.summary("Read the caller's own account")
@doc.description("That of the access token which comes with the request.")
@doc.produces(AccountSchema)
@doc.raises(NotFound)
async def me(request, cur, principal):
    account = await cur.fetchrow("SELECT * FROM accounts WHERE id = $1", account_of(principal))
    if account is None:
        raise NotFound(error="the caller has no account")
    return account


def account_of(principal):
    """Return the id of the caller's account; 0, which nobody has, for a caller without one."""
    return int(principal.id) if principal.id.isdecimal() and len(principal.id) < 10 else 0


def answer_tokens(request, account, refresh_token):
    """Return the tokens of *account* as an answer that nobody may store."""
    issuer, scopes = request.app.settings.extra["issuer"], account["scopes"].split()
    tokens = {
        "access_token": issuer.issue(account["id"], scopes, lifetime=ACCESS_LIFETIME),
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
        "refresh_token": refresh_token,
        "scope": account["scopes"],
    }
    return Reply(tokens, headers={"Cache-Control": "no-store"})
