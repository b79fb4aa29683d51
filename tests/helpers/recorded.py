"""Where the recorded values of the 2015 code lie."""

import os
from pathlib import Path

FOLDERS = [Path(__file__).parents[1] / "data"]
if os.environ.get("DPM_REFERENCE_DIR"):
    FOLDERS.append(Path(os.environ["DPM_REFERENCE_DIR"]))


def recorded_files(pattern: str) -> dict[Path, str]:
    """Files of that name and their stems, from the repository and DPM_REFERENCE_DIR.

    A file that has the very bytes of another is left out.
    """
    paths = (path for folder in FOLDERS for path in sorted(folder.glob(pattern)))
    first = {}
    for path in paths:
        first.setdefault(path.read_bytes(), path)
    return {path: path.stem for path in first.values()}
