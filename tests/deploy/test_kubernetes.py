"""deploy/kubernetes: built by kustomize, valid by Kubernetes' own schemas, and as shut in as it says."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.platform.keyring import API_ROLES, FILES, PUBLISHER_ROLES, WORKER_ROLES
from app.platform.settings import Settings

TOP = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUBECTL = shutil.which("kubectl")
VERSIONS = ("1.29", "1.37")
OPERATORS_OWN = {"ServiceMonitor"}
"""Kinds that the Prometheus operator brings: no schema of Kubernetes has them."""
KEYS = "/var/lib/wardlist/keys/"
ROLES = {"wardlist-api": API_ROLES, "wardlist-publisher": PUBLISHER_ROLES, "wardlist-worker": WORKER_ROLES}
RECIPIENTS = {"BACKUP_RECIPIENT": "age1ONE age1TWO"}
SECRETS = {"wardlist-database", "wardlist-store", "wardlist-store-read"}
Object = dict[str, Any]


@cache
def built(folder: str) -> tuple[Object, ...]:
    """What `kubectl apply -k` would send."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([KUBECTL, "kustomize", str(TOP / folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(yaml.safe_load_all(done.stdout))


def named(kind: str, folder: str = "overlays/example") -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in built(folder) if one["kind"] == kind}


def pods() -> Iterator[tuple[str, Object]]:
    for kind in ("Deployment", "Job"):
        for name, one in named(kind).items():
            yield name, one["spec"]["template"]
    for name, one in named("CronJob").items():
        yield name, one["spec"]["jobTemplate"]["spec"]["template"]


@pytest.mark.parametrize("folder", ["base", "overlays/example"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_its_schema(folder: str, version: str) -> None:
    known = [one for one in built(folder) if one["kind"] not in OPERATORS_OWN]
    assert len(known) > 15
    for one in known:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_wrong_object_would_be_found() -> None:
    wrong = {**named("Deployment")["wardlist-api"], "spec": {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_container_is_confined() -> None:
    seen = 0
    for name, pod in pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            seen += 1
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"]
    assert seen == 8


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_part_is_given_the_keys_it_uses_and_no_other(name: str) -> None:
    (container,) = named("Deployment")[name]["spec"]["template"]["spec"]["containers"]
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    given = {path.removeprefix(KEYS) for path in mounts if path.startswith(KEYS)}
    folders = {"public", "epochs"} | ({"leaving", "match", "tuf"} if name == "wardlist-publisher" else set())
    assert given == folders | {FILES[role] for role in ROLES[name]}
    assert all(
        mounts[path]["subPath"] == f"wardlist{path.removeprefix('/var/lib/wardlist')}"
        for path in map(KEYS.__add__, given)
    )
    if name == "wardlist-api":
        assert all(one.get("readOnly") for path, one in mounts.items() if one["name"] == "state")


def test_a_backup_is_made_each_hour_and_told_to_a_part_that_is_watched() -> None:
    spec = named("CronJob")["wardlist-backup"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    given = {one["name"]: one.get("value") for one in container["env"]}
    assert given["BACKUP_RECIPIENT"] == "age1ONE age1TWO"
    command = container["args"][0].replace("exec wardlist", "exec echo")
    said = subprocess.run(
        ["/bin/sh", "-c", command], env={**os.environ, **RECIPIENTS}, capture_output=True, text=True
    )
    assert re.fullmatch(
        r"backup --out /backups/\d\d\.age --recipient age1ONE --recipient age1TWO\n", said.stdout
    )
    (worker,) = named("Deployment")["wardlist-worker"]["spec"]["template"]["spec"]["containers"]
    (mount,) = [one for one in worker["volumeMounts"] if one.get("subPath") == "wardlist/backup"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/var/lib/wardlist/backup", True)


def test_nothing_secret_stands_in_the_manifests() -> None:
    assert not named("Secret")
    asked = {
        variable["valueFrom"]["secretKeyRef"]["name"]
        for _, pod in pods()
        for container in pod["spec"]["containers"]
        for variable in container["env"]
        if "valueFrom" in variable
    }
    assert asked == SECRETS
    api = named("Deployment")["wardlist-api"]["spec"]["template"]["spec"]["containers"][0]
    assert "'wardlist-store'" not in str(api)


def test_what_is_set_are_settings_of_the_service() -> None:
    names = set(named("ConfigMap")["wardlist-settings"]["data"])
    for _, pod in pods():
        for container in pod["spec"]["containers"]:
            names |= {one["name"] for one in container["env"] if one["name"].startswith("WARDLIST_")}
    assert names <= {f"WARDLIST_{name.upper()}" for name in Settings.model_fields}


def test_nobody_reaches_a_pod_that_no_policy_names() -> None:
    policies = named("NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, pod in pods():
        labels = pod["metadata"]["labels"]
        selecting = [
            one
            for one in policies.values()
            if one["spec"]["podSelector"].get("matchLabels")
            and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert selecting, name
        assert all(rule.get("from") for one in selecting for rule in one["spec"].get("ingress", [])), name
    assert policies["database"]["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "192.0.2.200/32"}}]


def test_services_probes_and_monitors_name_ports_that_are_there() -> None:
    deployments, services = named("Deployment"), named("Service")
    for name, service in services.items():
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports.keys()
        for probe, path in (
            ("readinessProbe", "/readyz"),
            ("livenessProbe", "/healthz"),
            ("startupProbe", "/healthz"),
        ):
            assert container[probe]["httpGet"] == {"path": path, "port": next(iter(ports))}
    for name, monitor in named("ServiceMonitor").items():
        assert (
            monitor["spec"]["selector"]["matchLabels"].items() <= services[name]["metadata"]["labels"].items()
        )
        assert {one["port"] for one in monitor["spec"]["endpoints"]} <= {
            one["name"] for one in services[name]["spec"]["ports"]
        }


def test_the_api_grows_and_no_part_is_taken_away_whole() -> None:
    (scaler,) = named("HorizontalPodAutoscaler").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "wardlist-api"
    assert "replicas" not in named("Deployment")["wardlist-api"]["spec"]
    assert scaler["spec"]["minReplicas"] >= 2
    assert named("Deployment")["wardlist-publisher"]["spec"]["replicas"] == 2
    for name, budget in named("PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}
        assert budget["spec"]["maxUnavailable"] == 1
    assert named("PodDisruptionBudget").keys() == named("Deployment").keys()


def test_an_overlay_says_which_image_and_where() -> None:
    images = {
        container["image"]
        for _, pod in pods()
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    }
    assert images == {"registry.example/wardlist:0.1.0"}
    said = named("ConfigMap")["wardlist-settings"]["data"]["WARDLIST_ISSUER"]
    (ingress,) = named("Ingress").values()
    assert f"https://{ingress['spec']['rules'][0]['host']}" == said
