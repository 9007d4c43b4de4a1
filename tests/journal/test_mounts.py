"""The kind of file system that a path lies on."""

from pathlib import Path

import pytest

from asp_telemetry.journal.mounts import _filesystem_in, filesystem_of, is_fleeting

TABLE = r"""22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/a
23 22 8:1 / /data rw,relatime shared:1 - ext4 /dev/sda1 rw
24 23 0:21 / /data/with\040space rw - tmpfs tmpfs rw
25 23 0:22 / /data/twice rw - xfs /dev/sdb rw
26 25 0:23 / /data/twice rw - nfs4 host:/x rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/a", "overlay"),
        ("/data", "ext4"),
        ("/data/a/b", "ext4"),
        ("/database", "overlay"),
        ("/data/with space/a", "tmpfs"),
        ("/data/twice/a", "nfs4"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path, kind):
    """A path belongs to the deepest mount above it, and of two at one place to the one that covers the other."""
    assert _filesystem_in(TABLE, path) == kind


def test_it_reads_the_table_of_this_machine():
    """On Linux the root has a kind; a path need not exist."""
    if not Path("/proc/self/mountinfo").exists():
        assert filesystem_of(Path("/")) is None
    else:
        assert filesystem_of(Path("/nowhere/at/all")) == filesystem_of(Path("/"))


def test_what_dies_with_the_container():
    """Overlay and tmpfs do; disks and unknown ones do not."""
    assert [is_fleeting(kind) for kind in ("overlay", "tmpfs", "ext4", None)] == [True, True, False, False]
