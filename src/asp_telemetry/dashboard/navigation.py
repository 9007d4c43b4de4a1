"""Lists what the navigation leads to, in its order."""

from typing import Final, NamedTuple


class Place(NamedTuple):
    """Be an entry of the navigation: its label, and where it leads; `under` tells which pages belong to it."""

    label: str
    path: str

    def holds(self, path: str) -> bool:
        """Tell whether a page is this one or below it.

        Args:
            path: The path of the page's URL.

        Example:
            >>> Place("Agents", "/agents").holds("/agents/Code"), Place("Overview", "/").holds("/agents")
            (True, False)
        """
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


PLACES: Final = (
    Place("Overview", "/"),
    Place("Agents", "/agents"),
    Place("Tasks", "/tasks"),
    Place("Traces", "/traces"),
    Place("Defects", "/defects"),
    Place("Estimation", "/estimation"),
    Place("Bootstrap", "/bootstrap"),
    Place("Routing", "/routing"),
    Place("Patterns", "/patterns"),
)
