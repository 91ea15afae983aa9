"""What the regions service refuses, with the codes that its callers may rely on."""

from msframework import Conflict, UnprocessableEntity


class ProvinceNameTaken(Conflict):
    """Another province has this name."""

    code = 11001
    message = "A province of this name exists already"


class ProvinceInUse(Conflict):
    """The province still has cities."""

    code = 11002
    message = "The province still has cities"


class CityNameTaken(Conflict):
    """The province has a city of this name."""

    code = 11003
    message = "The province has a city of this name already"


class NoSuchProvince(UnprocessableEntity):
    """A city names a province that is not there."""

    code = 11004
    message = "There is no such province"
