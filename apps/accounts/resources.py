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
@doc.description("Everybody may; the address is the name to log in with.")
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
@doc.description("The refresh token gets the next access token, once.")
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
    await end_session(tx, body["refresh_token"], int(principal.id))


@accounts.get("/me")
@doc.guards(AuthenticatedBy("token"))
@doc.summary("Read the caller's own account")
@doc.description("Whose it is says the token.")
@doc.produces(AccountSchema)
@doc.raises(NotFound)
async def me(request, cur, principal):
    account = await cur.fetchrow("SELECT * FROM accounts WHERE id = $1", int(principal.id))
    if account is None:
        raise NotFound(error="the account is gone")
    return account


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
