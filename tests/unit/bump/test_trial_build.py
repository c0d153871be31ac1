"""The manifest of a package that was built."""

from pipeline.bump import trial_build


def test_a_manifest_has_placeholders_for_the_build_id() -> None:
    """All other paths are as in the package."""
    paths = ["/usr/lib/.build-id", "/usr/lib/.build-id/ab", "/usr/lib/.build-id/ab/cdef", "/opt/ab"]

    assert [
        "/usr/lib/.build-id",
        "/usr/lib/.build-id/{build_id[:2]}",
        "/usr/lib/.build-id/{build_id[:2]}/{build_id[2:]}",
        "/opt/ab",
    ] == trial_build.manifest(paths, "abcdef").splitlines()
