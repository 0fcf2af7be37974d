"""Stands in for setuptools while pip downloads a source archive.

Before pip keeps a source archive it asks the archive's build backend for its name and version, and
that would run the archive's own code. This backend answers from two environment variables; nothing
of the archive is run, and no setuptools is needed. xtask checks the archive's sha256 afterwards.
"""

import os


class __legacy__:  # the name pip uses for archives without a pyproject.toml
    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        return []

    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        name = os.environ["REINS_ARCHIVE_NAME"]
        version = os.environ["REINS_ARCHIVE_VERSION"]
        folder = f"{name}-{version}.dist-info"
        os.mkdir(os.path.join(metadata_directory, folder))
        with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as metadata:
            metadata.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return folder
