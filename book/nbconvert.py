"""How a chapter is run to be committed: silently, leaving no trace of the machine.

Used as ``jupyter nbconvert --config book/nbconvert.py``; see `own_chapter.md`.
"""

import os

os.environ["TQDM_DISABLE"] = "1"  # inherited by the kernel: no bars on stderr

c = get_config()  # noqa: F821  (nbconvert defines it)
c.ExecutePreprocessor.record_timing = False
c.ClearMetadataPreprocessor.enabled = True
c.ClearMetadataPreprocessor.clear_cell_metadata = False
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {
    ("language_info", "name"),
    "kernelspec",
}
