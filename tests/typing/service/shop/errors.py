"""What can go wrong in the shop."""

from msframework import Conflict


class NameTaken(Conflict):
    """There is a product of this name."""

    code = 20001
    message = "There is a product of this name already"


class SoldOut(Conflict):
    """There are fewer products than were ordered."""

    code = 20002
    message = "There are not that many of this product"

    def __init__(self, left: int) -> None:
        super().__init__({"left": left})
