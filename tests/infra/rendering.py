"""The template with its parameters put in: what CloudFormation makes of conditions, for one choice of parameters."""

import copy
from collections.abc import Mapping
from typing import Any

_NOTHING = {"Ref": "AWS::NoValue"}


def rendered(template: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    """A copy of a transformed template. Parameters that are not given have their defaults; references to resources and
    pseudo parameters stay as they are.
    """
    declared = template.get("Parameters", {})
    unknown = set(parameters) - set(declared)
    if unknown:
        raise ValueError(f"the template has no parameter {', '.join(sorted(unknown))}")
    values = {name: parameters.get(name, parameter.get("Default")) for name, parameter in declared.items()}
    conditions = {
        name: _holds(condition, values, template["Conditions"])
        for name, condition in template.get("Conditions", {}).items()
    }
    kept = copy.deepcopy(dict(template))
    for part in ("Resources", "Outputs"):
        kept[part] = {
            name: _put_in({key: value for key, value in entry.items() if key != "Condition"}, values, conditions)
            for name, entry in template.get(part, {}).items()
            if conditions.get(entry.get("Condition", ""), True)
        }
    return kept


def _holds(condition: Any, values: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    ((name, operands),) = condition.items()
    match name:
        case "Condition":
            return _holds(conditions[operands], values, conditions)
        case "Fn::Not":
            return not _holds(operands[0], values, conditions)
        case "Fn::And":
            return all(_holds(one, values, conditions) for one in operands)
        case "Fn::Or":
            return any(_holds(one, values, conditions) for one in operands)
        case "Fn::Equals":
            left, right = (str(_put_in(one, values, {})) for one in operands)
            return left == right
    raise ValueError(f"a condition by {name} is not known here")


def _put_in(part: Any, values: Mapping[str, Any], conditions: Mapping[str, bool]) -> Any:
    if isinstance(part, list):
        items = (_put_in(item, values, conditions) for item in part)
        return [item for item in items if item != _NOTHING]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"Ref"} and part["Ref"] in values:
        return values[part["Ref"]]
    if part.keys() == {"Fn::If"}:
        name, if_so, if_not = part["Fn::If"]
        return _put_in(if_so if conditions[name] else if_not, values, conditions)
    items = ((key, _put_in(value, values, conditions)) for key, value in part.items())
    return {key: value for key, value in items if value != _NOTHING}
