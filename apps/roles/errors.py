"""What the roles service refuses, with the codes that its callers may rely on."""

from msframework import Conflict


class RoleNameTaken(Conflict):
    """Another role has this name."""

    code = 13001
    message = "A role of this name exists already"
