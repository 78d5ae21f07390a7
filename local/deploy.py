"""From template.yaml to resources: SAM's own transform, moto's CloudFormation, boto3 for what that does not know."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import clean_json, get_model_map
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from local.environment import ACCOUNT_ID, REGION
from local.glue_jobs import Job
from local.lambda_runtime import Function
from local.permissions import Permissions, permissions_of

STACK_NAME = "energy"
_ARTIFACTS = "local-deployment-artifacts"
_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
# What moto's CloudFormation does not know and boto3 creates from the same template, in this order.
_NAME_PROPERTIES = {
    "AWS::Glue::Database": ("DatabaseInput", "Name"),
    "AWS::Glue::Table": ("TableInput", "Name"),
    "AWS::Athena::WorkGroup": ("Name",),
    "AWS::Athena::NamedQuery": ("Name",),
    "AWS::Glue::Job": ("Name",),
}

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Deployment:
    """The stack as it stands. `skipped` has the resources without a local counterpart: logical id to type."""

    bucket: str
    state_machine_arn: str
    functions: dict[str, Function]
    jobs: dict[str, Job]
    verbs: dict[str, str]
    outputs: dict[str, str]
    skipped: dict[str, str]
    permissions: Permissions


def deploy(  # noqa: PLR0913
    template: Path,
    source_template: Path,
    parameters: dict[str, str],
    client: Client,
    role_files: Path,
    *,
    bare: bool,
    under_roles: bool,
) -> Deployment:
    """Creates the stack that the template describes. `under_roles`: its functions may do what their roles allow."""
    sam = yaml_parse(template.read_text())
    code = _code_folders(sam, template.parent)
    _store_artifacts(sam, client)
    stack_template, definitions = _transformed(sam, code, parameters)
    _inline_definitions(stack_template, definitions)
    unknown = _set_apart_unknown(stack_template)
    client("cloudformation").create_stack(
        StackName=STACK_NAME,
        TemplateBody=json.dumps(stack_template),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": str(value)}
            for name, value in parameters.items()
            if name in stack_template.get("Parameters", {})
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stack = next(iter(cloudformation_backends[ACCOUNT_ID][REGION].stacks.values()))
    _configure_buckets(stack_template, stack.resource_map, client)
    skipped = _create_unknown(unknown, stack.resource_map, client)
    permissions = permissions_of(stack.resource_map, stack_template, role_files)
    return Deployment(
        bucket=_lake_bucket(stack_template, stack.resource_map),
        state_machine_arn=_pipeline(stack_template, stack.resource_map),
        functions=_functions(stack_template, stack.resource_map, code, bare, permissions if under_roles else None),
        jobs=_jobs(unknown, stack.resource_map, template.parent, bare, permissions if under_roles else None),
        verbs=_verbs(source_template),
        outputs=_outputs(client),
        skipped=skipped,
        permissions=permissions,
    )


def _outputs(client: Client) -> dict[str, str]:
    described = client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _code_folders(sam: dict[str, Any], root: Path) -> dict[str, Path]:
    """Where the code of every function and layer, and every state machine's definition, lies: by logical id."""
    shared = sam.get("Globals", {}).get("Function", {}).get("CodeUri")
    found = {}
    for logical_id, resource in sam["Resources"].items():
        name = _CODE.get(resource["Type"])
        uri = resource.get("Properties", {}).get(name, shared if name == "CodeUri" else None) if name else None
        if isinstance(uri, str):
            found[logical_id] = (root / uri).resolve()
    return found


def _store_artifacts(sam: dict[str, Any], client: Client) -> None:
    """moto wants every package to exist in S3. Nothing runs from there: an empty archive will do."""
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("placeholder", "")
    client("s3").create_bucket(Bucket=_ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})
    for logical_id, resource in sam["Resources"].items():
        if resource["Type"] in _CODE:
            client("s3").put_object(Bucket=_ARTIFACTS, Key=logical_id, Body=empty.getvalue())


def _transformed(
    sam: dict[str, Any], code: dict[str, Path], parameters: dict[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The CloudFormation template, and the definitions of its state machines by logical id."""
    definitions = {}
    for logical_id, resource in sam["Resources"].items():
        if logical_id not in code:
            continue
        if resource["Type"] == "AWS::Serverless::StateMachine":
            definitions[logical_id] = code[logical_id].read_text()
        resource["Properties"][_CODE[resource["Type"]]] = {"Bucket": _ARTIFACTS, "Key": logical_id}
    defaults = {
        name: parameter["Default"] for name, parameter in sam.get("Parameters", {}).items() if "Default" in parameter
    }
    values = {
        **defaults,
        **parameters,
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::StackName": STACK_NAME,
    }
    return transform(sam, values, _ManagedPolicies()), definitions


class _ManagedPolicies:
    """The transform asks for AWS's managed policies by name; nothing checks them here."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess")
        return {name: f"arn:aws:iam::aws:policy/{name}" for name in names}


def _inline_definitions(template: dict[str, Any], definitions: dict[str, str]) -> None:
    """moto ignores DefinitionSubstitutions and reads no definition from S3: put the text in, substituted."""
    for logical_id, text in definitions.items():
        properties = template["Resources"][logical_id]["Properties"]
        values = properties.pop("DefinitionSubstitutions", {})
        properties.pop("DefinitionS3Location", None)
        properties["DefinitionString"] = _substituted(text, values)


def _substituted(text: str, values: dict[str, Any]) -> Any:
    """`text` with ${Name} replaced, as a Fn::Join: moto's Fn::Sub would also take $Name, a JSONata variable."""
    pieces = re.split(r"\$\{([A-Za-z0-9_.:]+)\}", text)
    parts = [values.get(piece, f"${{{piece}}}") if index % 2 else piece for index, piece in enumerate(pieces)]
    return {"Fn::Join": ["", parts]}


def _set_apart_unknown(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Takes out of the template what moto's CloudFormation does not know; references to it become its name."""
    known = get_model_map()
    resources = template["Resources"]
    unknown = {logical_id: resource for logical_id, resource in resources.items() if resource["Type"] not in known}
    names = {}
    for logical_id, resource in unknown.items():
        del resources[logical_id]
        named: Any = resource.get("Properties", {})
        for step in _NAME_PROPERTIES.get(resource["Type"], ("Name",)):
            named = named.get(step, {}) if isinstance(named, dict) else {}
        names[logical_id] = named or f"{STACK_NAME}-{logical_id}"
    for part in ("Resources", "Outputs"):
        template[part] = _named(template.get(part, {}), names)
    for resource in resources.values():
        _drop_dependencies(resource, names)
    for resource in template["Resources"].values():
        _drop_dependencies(resource, names)
    return {logical_id: _named(resource, names) for logical_id, resource in unknown.items()}


def _drop_dependencies(resource: dict[str, Any], gone: dict[str, Any]) -> None:
    wanted = resource.pop("DependsOn", [])
    left = [name for name in ([wanted] if isinstance(wanted, str) else wanted) if name not in gone]
    if left:
        resource["DependsOn"] = left


def _named(part: Any, names: dict[str, Any]) -> Any:
    """`part` with every Ref, GetAtt and ${…} to one of `names` replaced by that name."""
    if isinstance(part, list):
        return [_named(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"Ref"} and part["Ref"] in names:
        return _named(names[part["Ref"]], names)
    if part.keys() == {"Fn::GetAtt"}:
        target = part["Fn::GetAtt"]
        logical_id = target.split(".")[0] if isinstance(target, str) else target[0]
        if logical_id in names:
            return _named(names[logical_id], names)
    if part.keys() == {"Fn::Sub"}:
        text, values = part["Fn::Sub"] if isinstance(part["Fn::Sub"], list) else (part["Fn::Sub"], {})
        mentioned = {found for found in re.findall(r"\$\{([A-Za-z0-9.]+)\}", text) if found.split(".")[0] in names}
        if mentioned:
            kept = {name: {"Fn::Sub": f"${{{name}}}"} for name in re.findall(r"\$\{([A-Za-z0-9.:]+)\}", text)}
            given = {name: _named(value, names) for name, value in values.items()}
            found = {name: _named(names[name.split(".")[0]], names) for name in mentioned}
            return _substituted(text, {**kept, **found, **given})
    return {key: _named(value, names) for key, value in part.items()}


def _configure_buckets(template: dict[str, Any], resources: Any, client: Client) -> None:
    """moto's CloudFormation forgets versioning and EventBridge."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] != "AWS::S3::Bucket" or logical_id not in resources:
            continue
        properties = clean_json(resource.get("Properties", {}), resources)
        bucket = resources[logical_id].name
        if properties.get("VersioningConfiguration", {}).get("Status") == "Enabled":
            client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        events = properties.get("NotificationConfiguration", {}).get("EventBridgeConfiguration")
        if events is not None and str(events.get("EventBridgeEnabled", True)).lower() == "true":
            client("s3").put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )


def _create_unknown(unknown: dict[str, dict[str, Any]], resources: Any, client: Client) -> dict[str, str]:
    """Creates what moto has all the same; the type of what was left out, by logical id."""
    skipped = {}
    order = list(_NAME_PROPERTIES)
    for logical_id, resource in sorted(
        unknown.items(), key=lambda item: order.index(item[1]["Type"]) if item[1]["Type"] in order else len(order)
    ):
        condition = resource.get("Condition")
        if condition is not None and not resources.lazy_condition_map[condition]:
            continue
        properties = clean_json(resource.get("Properties", {}), resources)
        match resource["Type"]:
            case "AWS::Glue::Database":
                client("glue").create_database(DatabaseInput=properties["DatabaseInput"])
            case "AWS::Glue::Table":
                client("glue").create_table(
                    DatabaseName=properties["DatabaseName"], TableInput=_strings_in_parameters(properties["TableInput"])
                )
            case "AWS::Athena::WorkGroup":
                location = properties.get("WorkGroupConfiguration", {}).get("ResultConfiguration", {})
                client("athena").create_work_group(
                    Name=properties["Name"], Configuration={"ResultConfiguration": location}
                )
            case "AWS::Glue::Job":
                # moto mistakes the number of workers for a limit of capacity where both are told.
                names = (
                    "Name",
                    "Role",
                    "Command",
                    "DefaultArguments",
                    "ExecutionProperty",
                    "GlueVersion",
                    "WorkerType",
                )
                told = {name: str(value) for name, value in properties["DefaultArguments"].items()}
                client("glue").create_job(**{name: properties[name] for name in names} | {"DefaultArguments": told})
            case "AWS::Athena::NamedQuery":
                client("athena").create_named_query(**properties)
            case "AWS::SNS::Subscription":
                client("sns").subscribe(**{name: properties[name] for name in ("TopicArn", "Protocol", "Endpoint")})
            case other:
                skipped[logical_id] = other
    return skipped


def _strings_in_parameters(table: dict[str, Any]) -> dict[str, Any]:
    """YAML reads "false" and numbers as what they look like; Glue's parameters are strings."""
    if "Parameters" not in table:
        return table
    texts = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in table["Parameters"].items()
    }
    return {**table, "Parameters": texts}


def _lake_bucket(template: dict[str, Any], resources: Any) -> str:
    """The bucket whose uploads start the state machine: the one that tells EventBridge about them."""
    buckets = [
        resources[logical_id].name
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::S3::Bucket"
        and "EventBridgeConfiguration" in resource.get("Properties", {}).get("NotificationConfiguration", {})
    ]
    if len(buckets) != 1:
        raise ValueError(f"the template must have one bucket with EventBridgeConfiguration; it has {len(buckets)}")
    return str(buckets[0])


def _pipeline(template: dict[str, Any], resources: Any) -> str:
    """The state machine that uploads start: the one that a rule of the template has as its target."""
    machines = {
        resources[logical_id].arn
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    }
    rules = [each for each in template["Resources"].values() if each["Type"] == "AWS::Events::Rule"]
    targets = [target for rule in rules for target in clean_json(rule["Properties"], resources).get("Targets", [])]
    found = {target["Arn"] for target in targets} & machines
    if len(found) != 1:
        raise ValueError(f"the template's rules must have one state machine as their target; they have {len(found)}")
    return str(found.pop())


def _functions(
    template: dict[str, Any], resources: Any, code: dict[str, Path], bare: bool, permissions: Permissions | None
) -> dict[str, Function]:
    """The functions by name."""
    functions = {}
    for logical_id, resource in template["Resources"].items():
        made = resources.get(logical_id) if resource["Type"] == "AWS::Lambda::Function" else None
        if made is None:  # its condition does not hold
            continue
        layers = [_layer_folder(template, layer, code) for layer in resource["Properties"].get("Layers", [])]
        functions[made.function_name] = Function(
            logical_id=logical_id,
            name=made.function_name,
            handler=made.handler,
            timeout_seconds=float(made.timeout),
            memory_mb=int(made.memory_size),
            environment={name: str(value) for name, value in made.environment_vars.items()},
            folders=(code[logical_id], *layers),
            bare=bare,
            role_file=permissions.file_of(made.role) if permissions is not None else None,
        )
    return functions


def _jobs(
    unknown: dict[str, dict[str, Any]], resources: Any, root: Path, bare: bool, permissions: Permissions | None
) -> dict[str, Job]:
    """The jobs by name: as they are packed, or from their sources beside the template."""
    jobs = {}
    for resource in unknown.values():
        if resource["Type"] != "AWS::Glue::Job":
            continue
        properties = clean_json(resource["Properties"], resources)
        packed = (root / properties["Command"]["ScriptLocation"]).resolve()
        code = {"script": packed, "folders": ()} if bare else {"script": root / "jobs" / packed.name}
        jobs[properties["Name"]] = Job(
            name=properties["Name"],
            **code,
            timeout_minutes=float(properties["Timeout"]),
            role_file=permissions.file_of(properties["Role"]) if permissions is not None else None,
        )
    return jobs


def _layer_folder(template: dict[str, Any], layer: dict[str, str], code: dict[str, Path]) -> Path:
    source = code[template["Resources"][layer["Ref"]]["Properties"]["Content"]["S3Key"]]
    return source / "python" if (source / "python").is_dir() else source


def _verbs(source_template: Path) -> dict[str, str]:
    """Logical ids of the functions by the name of their folder: `validate`, `aggregate`, …"""
    sam = yaml_parse(source_template.read_text())
    return {
        folder.name: logical_id
        for logical_id, folder in _code_folders(sam, source_template.parent).items()
        if sam["Resources"][logical_id]["Type"] == "AWS::Serverless::Function"
    }
