"""The failures of the accounts service, with codes that its callers may rely on."""

from msframework import Conflict, Unauthorized


class AccountExists(Conflict):
    """Another account has this email."""

    code = 14001
    message = "This email has an account already"


class WrongCredentials(Unauthorized):
    """There is no such account, or the password is wrong; the answer does not say which."""

    code = 14002
    message = "The email or the password is wrong"


class WrongRefreshToken(Unauthorized):
    """The refresh token is unknown, expired, ended, or was used before."""

    code = 14003
    message = "Log in again"
