"""Files as sources: landed as received, and parsed once into Parquet with every value still text."""

from tieout.ingest.intake.files.drop import pull_files

__all__ = ["pull_files"]
