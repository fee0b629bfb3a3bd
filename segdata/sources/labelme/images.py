"""Find the image that labelme's JSON names, also after files were moved from Windows or to another folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from segdata.errors import InvalidInputError
from segdata.sources.finder import folded


class ImageFinder:
    """Finds images by the path in a JSON; lists each folder once."""

    def __init__(self) -> None:
        """Start without listings."""
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(self, folder: Path, image_path: str) -> Path | None:
        """Return the file that `image_path`, in a JSON in `folder`, means; None if no such file exists.

        Backslashes separate folders. What does not exist is searched for in another case or Unicode form, then by its
        name alone in `folder`.

        Raises:
            InvalidInputError: when several names in a folder differ only by case or Unicode form.
        """
        if not image_path or "\0" in image_path:
            return None
        path = PurePosixPath(PureWindowsPath(image_path).as_posix())
        exact = folder / path
        if exact.is_file():
            return exact
        return self._follow(folder, path) or self._follow(folder, PurePosixPath(path.name))

    def _follow(self, folder: Path, path: PurePosixPath) -> Path | None:
        here = Path("/") if path.is_absolute() else folder
        for part in path.parts[path.is_absolute() :]:
            if (here / part).exists():
                here /= part
                continue
            names = self._listing(here).get(folded(part), [])
            if len(names) > 1:
                raise InvalidInputError(f"{path}: is one of {', '.join(names)} in {here}; expected one file")
            if not names:
                return None
            here /= names[0]
        return here if here.is_file() else None

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            try:
                for name in sorted(path.name for path in folder.iterdir()):
                    listing.setdefault(folded(name), []).append(name)
            except OSError:
                listing = {}
            self._listings[folder] = listing
        return self._listings[folder]
