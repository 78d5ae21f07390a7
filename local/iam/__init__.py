"""IAM as AWS applies it, for functions that run on this machine: each call is judged by the role that makes it.

Read off the IAM User Guide ("Policy evaluation logic", "IAM JSON policy elements") and the Service Authorization
Reference; nothing of it was compared with AWS itself. Identity policies only: of resource policies, permission
boundaries and organizations it knows nothing. Needs nothing but botocore: it runs inside the functions' processes.
"""

from local.iam.calls import Surroundings, UnmappedCall, requests
from local.iam.enforcement import Journal, Judge, Judged, enforce
from local.iam.policies import Decision, Grant, Request, Role, decide, grants

__all__ = [
    "Decision",
    "Grant",
    "Journal",
    "Judge",
    "Judged",
    "Request",
    "Role",
    "Surroundings",
    "UnmappedCall",
    "decide",
    "enforce",
    "grants",
    "requests",
]
