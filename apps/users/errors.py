"""What the users service refuses, with the codes that its callers may rely on."""

from msframework import Conflict


class EmailTaken(Conflict):
    """Another user has this email."""

    code = 12003
    message = "This email is in use already"
