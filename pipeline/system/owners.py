"""Who can change what is in a folder."""

import grp
import os
import pwd
import stat
from pathlib import Path


def others(folder: Path) -> str:
    """Who can change it besides this user and root, such as ``uid 1000``; empty if nobody can."""
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        return f"it belongs to uid {status.st_uid}"
    if status.st_mode & stat.S_IWOTH:
        return "everybody can write to it"
    if status.st_mode & stat.S_IWGRP and not _private(status.st_gid):
        return f"group {status.st_gid} can write to it"
    return ""


def _private(gid: int) -> bool:
    """Whether a group has this user as its only member: on many hosts each has one of his own."""
    if gid != os.getegid():
        return False
    try:
        members = grp.getgrgid(gid).gr_mem
    except KeyError:  # it has no name
        members = []
    users = pwd.getpwall()
    own = {user.pw_name for user in users if user.pw_uid == os.geteuid()}
    also = {user.pw_name for user in users if user.pw_gid == gid}
    return {*members, *also} <= own
