"""Functions that tests of published directories share."""

from __future__ import annotations

from pathlib import Path

from segdata.files.publishing import staged_directory


def publish(target: Path, files: dict[str, str], *, overwrite: bool = False) -> None:
    with staged_directory(target, overwrite=overwrite) as staging:
        for name, text in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_text(text)


def texts(directory: Path) -> dict[str, str]:
    """Return the text of each file below `directory`; links are not followed."""
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
