"""Find the image that labelme's JSON names, also after files were moved from Windows or to another folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from segdata.errors import InvalidInputError
from segdata.images.header import IMAGE_SUFFIXES
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

    def namesake(self, file: Path) -> str:
        """Return the name of an image beside a JSON that differs from it only by the extension; empty without one."""
        names = [self._listing(file.parent).get(folded(file.stem + suffix), []) for suffix in IMAGE_SUFFIXES]
        return next((found[0] for found in names if found), "")

    def check_name(self, file: Path, image: Path, image_path: str) -> None:
        """Check that no image beside a JSON has its name if `image_path` means another one.

        Images and files that were renamed together keep the old path, and that may now be the name of another image.

        Raises:
            InvalidInputError: when there is such an image.
        """
        if folded(image.stem) != folded(file.stem) and (own := self.namesake(file)):
            raise InvalidInputError(
                f"imagePath is {image_path!r}, but {own!r} has the name of this file; expected one image. Correct "
                "imagePath, or give this file the name of its image.",
                "duplicate_image",
            )

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
