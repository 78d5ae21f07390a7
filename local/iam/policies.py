"""Identity policies: what a role may do, by what its statements say.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One action on one resource. `context` has the condition keys that AWS would know, in lower case."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """A role and the documents of its policies, every intrinsic function resolved. `name` is its logical id."""

    name: str
    arn: str
    policies: tuple[dict[str, Any], ...]


@dataclass(frozen=True, order=True)
class Grant:
    """The smallest thing that can be taken out of an Allow: an action, a resource, one value of each condition."""

    role: str
    sid: str
    action: str
    resource: str
    conditions: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        where = "".join(f", {key} = {value}" for key, value in self.conditions)
        return f"{self.role}/{self.sid}: {self.action} on {self.resource}{where}"


@dataclass(frozen=True)
class Decision:
    """`used`: the grants that allow the request. `reason` says why it is denied."""

    allowed: bool
    used: tuple[Grant, ...] = ()
    reason: str = ""


def decide(role: Role, request: Request) -> Decision:
    """An explicit Deny wins over every Allow; what nothing allows is denied."""
    used: list[Grant] = []
    for statement in _statements(role):
        if not _applies(statement, request):
            continue
        if statement["Effect"] == "Deny":
            return Decision(False, reason=f"explicit deny in statement {_sid(statement)}")
        used += [grant for grant in _grants(role, statement) if _covers(grant, statement, request)]
    if used:
        return Decision(True, tuple(used))
    return Decision(False, reason=f"no identity-based policy allows the {request.action} action")


def grants(role: Role) -> set[Grant]:
    """Everything that a role is allowed, in the smallest pieces."""
    allowing = [statement for statement in _statements(role) if statement["Effect"] == "Allow"]
    return {grant for statement in allowing for grant in _grants(role, statement)}


def _statements(role: Role) -> Iterator[dict[str, Any]]:
    for policy in role.policies:
        for number, statement in enumerate(_listed(policy["Statement"])):
            yield {"Sid": f"#{number + 1}", **statement}


def _sid(statement: dict[str, Any]) -> str:
    return str(statement["Sid"])


def _applies(statement: dict[str, Any], request: Request) -> bool:
    return (
        _named(statement, "Action", request.action, matches_action)
        and _named(statement, "Resource", request.resource, matches_text)
        and all(
            _condition_holds(operator, key, _listed(values), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _named(statement: dict[str, Any], element: str, value: str, matches: Callable[[str, str], bool]) -> bool:
    """Whether Action or Resource names the value, or NotAction or NotResource does not."""
    if element in statement:
        return any(matches(pattern, value) for pattern in _listed(statement[element]))
    return not any(matches(pattern, value) for pattern in _listed(statement[f"Not{element}"]))


def _grants(role: Role, statement: dict[str, Any]) -> Iterator[Grant]:
    actions = _listed(statement["Action"]) if "Action" in statement else ["(all but NotAction)"]
    resources = _listed(statement["Resource"]) if "Resource" in statement else ["(all but NotResource)"]
    conditions = [
        [(f"{operator} {key}", str(value)) for value in _listed(values)]
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    for action, resource, *values in itertools.product(actions, resources, *conditions):
        yield Grant(role.name, _sid(statement), action, resource, tuple(values))


def _covers(grant: Grant, statement: dict[str, Any], request: Request) -> bool:
    return (
        ("Action" not in statement or matches_action(grant.action, request.action))
        and ("Resource" not in statement or matches_text(grant.resource, request.resource))
        and all(_holds(name, value, request.context) for name, value in grant.conditions)
    )


def _holds(condition: str, value: str, context: Mapping[str, str]) -> bool:
    operator, key = condition.split(" ", 1)
    return _condition_holds(operator, key, [value], context)


def matches_action(pattern: str, action: str) -> bool:
    """Actions know no upper and lower case."""
    return matches_text(pattern.lower(), action.lower())


def matches_text(pattern: str, text: str) -> bool:
    """`*` is any text, `?` any one character, everything else itself."""
    return _pattern(pattern).fullmatch(text) is not None


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise ValueError(f"policy variables are not known here: {pattern}")
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def _same_ignoring_case(expected: str, found: str) -> bool:
    return expected.lower() == found.lower()


def _same(expected: str, found: str) -> bool:
    return expected == found


# Each with whether it asks for the opposite: then one value must not match, and a key that is missing is fine.
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_same, False),
    "StringNotEquals": (_same, True),
    "StringEqualsIgnoreCase": (_same_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_same_ignoring_case, True),
    "StringLike": (matches_text, False),
    "StringNotLike": (matches_text, True),
    "ArnEquals": (matches_text, False),
    "ArnLike": (matches_text, False),
    "ArnNotEquals": (matches_text, True),
    "ArnNotLike": (matches_text, True),
    "Bool": (_same_ignoring_case, False),
}


def _condition_holds(operator: str, key: str, values: list[Any], context: Mapping[str, str]) -> bool:
    found = context.get(key.lower())
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if operator == "Null":
        return str(found is None).lower() in [text.lower() for text in texts]
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS:
        raise ValueError(f"the condition operator {operator} is not known here")
    matches, opposite = _OPERATORS[name]
    if found is None:
        return opposite or operator.endswith("IfExists")
    return any(matches(text, found) for text in texts) is not opposite


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
