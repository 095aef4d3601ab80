"""Profiles: what a version's traffic is compared with. Made, kept, read again."""

from __future__ import annotations

from modelyard.monitoring.profile_making import ProfileMaker, profile_from_rows
from modelyard.monitoring.profile_packing import pack_profile, unpack_profile
from modelyard.monitoring.reference import Profile
from modelyard.monitoring.schemas import schema_of

__all__ = [
    "Profile",
    "ProfileMaker",
    "pack_profile",
    "profile_from_rows",
    "schema_of",
    "unpack_profile",
]
