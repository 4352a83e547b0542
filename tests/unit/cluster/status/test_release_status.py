"""What status says of a release. tests/unit/data/release_status holds statuses recorded from a real cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.cli.status_report import changes, facts, next_step, status_json, status_lines, summary
from generator.cluster.pods import pull_error
from generator.cluster.status.reasons import PodReason, pod_reason, scheduler_reason
from generator.cluster.status.replicas import replica_counts
from generator.cluster.status.status import Observed, ReleaseStatus, release_status
from generator.ray_messages import root_cause
from tests.support.output import published

RECORDED = Path(__file__).parents[2] / "data" / "release_status"


def recorded(name: str) -> Observed:
    return Observed(**yaml.safe_load((RECORDED / f"{name}.yaml").read_text()))


def status_of(name: str) -> ReleaseStatus:
    observed = recorded(name)
    return release_status(observed, observed.service["metadata"]["name"])


def text_of(status: ReleaseStatus) -> str:
    return "\n".join(line for line, _ in status_lines(status))


def service(
    *, active: dict[str, Any] | None = None, pending: dict[str, Any] | None = None, apps: tuple[str, ...] = ("a",)
) -> dict[str, Any]:
    """A RayService whose active and pending cluster have these applications."""
    config = {"applications": [{"name": name, "route_prefix": f"/inference/{name}"} for name in apps]}
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "False" if active is None else "True"}]}
    if active is not None:
        status["activeServiceStatus"] = {"rayClusterName": "llm-1", "applicationStatuses": active}
    if pending is not None:
        status["pendingServiceStatus"] = {"rayClusterName": "llm-2", "applicationStatuses": pending}
    return {
        "metadata": {"name": "llm", "namespace": "ai"},
        "spec": {"serveConfigV2": yaml.safe_dump(config)},
        "status": status,
    }


def app(status: str, **deployments: str) -> dict[str, Any]:
    """An application; each deployment's value is its status, and a message after a colon."""
    split = {name: text.partition(":") for name, text in deployments.items()}
    details = {name: {"status": status, "message": message} for name, (status, _, message) in split.items()}
    return {"status": status, "serveDeploymentStatuses": details}


def status(**given: Any) -> ReleaseStatus:
    more = {key: given.pop(key) for key in ("clusters", "pods", "events", "replicas") if key in given}
    return release_status(
        Observed(service=service(**given), **{"clusters": {}, "pods": [], "events": [], **more}), "llm"
    )


class TestRecorded:
    def test_a_release_that_serves(self) -> None:
        found = status_of("serving")
        assert found.all_ready
        assert summary(found) == "1 of 1 applications serve"
        assert next_step(found) == "nothing to do"
        assert "falcon3-1b-instruct  serves at /inference/falcon3-1b-instruct" in text_of(found)
        assert "LLMServer:falcon3-1b-instruct  HEALTHY, 1 replica" in text_of(found)

    def test_pods_that_cannot_start_say_why(self) -> None:
        found = status_of("pods-that-cannot-start")
        text = text_of(found)
        assert not found.all_ready
        assert "no node takes it: 1 of 1 does not match nodeSelector disk=ssd" in text
        assert 'container wait-gcs-ready cannot be made: secret "nowhere" not found' in text
        assert "image localhost/ray-serve-llm-cpu:9.9.9 cannot be pulled: failed to do request" in text
        assert next_step(found).startswith("fix what pod bad-")

    def test_one_wrong_source_is_named_with_its_cause_and_holds_up_a_new_release(self) -> None:
        found = status_of("one-wrong-source")
        assert summary(found) == "nothing serves yet, 1 of 2 applications run; KubeRay waits for all, and 1 cannot"
        assert (
            "falcon-h1-0.5b-instruct  could not be deployed: RuntimeError: Failed to create vLLM engine config: Repo "
            "id must be in the form 'repo_name' or 'namespace/repo_name': '/home/ray/checkpoints/nowhere'."
        ) in text_of(found)
        assert next_step(found).startswith("fix falcon-h1-0.5b-instruct or take it out, and helm upgrade")

    def test_a_model_that_sleeps(self) -> None:
        found = status_of("asleep")
        assert found.all_ready
        assert "is asleep at /inference/falcon3-1b-instruct: the first request wakes it" in text_of(found)
        assert "cpu-workers      no pods: none is needed now" in text_of(found)

    def test_during_an_update_the_earlier_cluster_is_known_by_its_replicas(self) -> None:
        # KubeRay takes back what it said of the earlier cluster's applications until the new one serves.
        assert "applicationStatuses" not in recorded("update").service["status"]["activeServiceStatus"]
        found = status_of("update")
        assert found.all_ready
        assert summary(found) == ("1 of 1 applications serve; an update is under way, 0 of 1 run on the new cluster")
        assert next_step(found) == "wait; --watch shows the progress"

    def test_an_update_with_a_wrong_source_leaves_the_earlier_cluster_serving(self) -> None:
        found = status_of("failed-update")
        assert not found.all_ready
        assert summary(found).startswith("1 of 1 applications serve; an update is under way")
        assert "is being deployed, and fails: RuntimeError: Failed to create vLLM engine config" in text_of(found)
        assert "until then the earlier cluster goes on serving" in next_step(found)

    @pytest.mark.parametrize("path", sorted(RECORDED.glob("*.yaml")), ids=lambda path: path.stem)
    def test_json_has_what_the_words_have(self, path: Path) -> None:
        found = status_of(path.stem)
        document = published("status", json.dumps(status_json(found)))
        assert document["all_ready"] is found.all_ready
        assert document["summary"] in text_of(found)
        assert [c["name"] for c in document["clusters"]] == [c.name for c in found.clusters]


class TestApplications:
    def test_one_bad_model_beside_a_good_one(self) -> None:
        error = "UPDATING:The deployment failed to start 1 times in a row. Error:\nOSError: /nowhere is not a folder"
        found = status(
            active={"good": app("RUNNING", LLMServer="HEALTHY"), "bad": app("DEPLOYING", LLMServer=error)},
            apps=("good", "bad"),
        )
        assert found.active is not None
        good, bad = found.active.applications
        assert (good.state, bad.state) == ("Ready", "Failed")
        assert bad.message == "OSError: /nowhere is not a folder"
        assert summary(found) == "1 of 2 applications serve"
        assert next_step(found).startswith("fix bad or take it out, and helm upgrade")

    def test_an_application_that_is_not_there_yet(self) -> None:
        found = status(pending={}, apps=("a", "b"))
        assert found.pending is not None
        assert [application.state for application in found.pending.applications] == ["Pending", "Pending"]
        assert summary(found) == "nothing serves yet, 0 of 2 applications run"
        assert next_step(found) == "wait; --watch shows the progress"

    def test_a_model_at_zero_replicas_is_asleep_and_well(self) -> None:
        deployments = {"LLMServer:a": "HEALTHY", "OpenAiIngress": "HEALTHY"}
        replicas = {"llm-1": {"a": {"LLMServer:a": (0, 0), "OpenAiIngress": (1, 1)}}}
        found = status(active={"a": app("RUNNING", **deployments)}, replicas=replicas)
        assert found.all_ready
        assert "is asleep at /inference/a: the first request wakes it" in text_of(found)

    def test_without_metrics_replicas_are_not_made_up(self) -> None:
        found = status(active={"a": app("RUNNING", LLMServer="HEALTHY")})
        assert found.all_ready
        assert "replica" not in text_of(found)
        assert status_json(found)["clusters"][0]["applications"][0]["deployments"][0]["replicas"] is None

    def test_an_update_that_fails_leaves_the_earlier_cluster_serving(self) -> None:
        found = status(
            active={"a": app("RUNNING")}, pending={"a": app("DEPLOY_FAILED", LLMServer="DEPLOY_FAILED:ValueError: no")}
        )
        assert not found.all_ready
        assert summary(found).endswith("an update is under way, 0 of 1 run on the new cluster")
        assert "until then the earlier cluster goes on serving" in next_step(found)

    @pytest.mark.parametrize(
        ("replicas", "said"),
        [
            ({}, "the release serves; an update is under way"),
            ({"llm-1": {"a": {"LLMServer:a": (2, 2)}}}, "1 of 1 applications serve; an update is under way"),
            ({"llm-1": {"a": {"LLMServer:a": (0, 1)}}}, "0 of 1 applications serve; an update is under way"),
        ],
    )
    def test_an_update_with_and_without_metrics(self, replicas: dict[str, Any], said: str) -> None:
        found = status(active={}, pending={"a": app("DEPLOYING")}, replicas=replicas)
        assert summary(found).startswith(said)
        assert found.all_ready is not said.startswith("0")

    def test_a_rayservice_that_nobody_looks_at(self) -> None:
        seen = service()
        del seen["status"]
        found = release_status(Observed(service=seen, clusters={}, pods=[], events=[]), "llm")
        assert "check that its operator runs" in str(found.notes[0])
        assert "preflight" in next_step(found)

    def test_what_kuberay_refuses_and_what_it_could_do_later(self) -> None:
        def event(kind: str, reason: str, message: str, minute: int) -> dict[str, Any]:
            when = f"2026-11-24T03:{minute:02}:00Z"
            return {"type": kind, "reason": reason, "message": message, "lastTimestamp": when, "count": 3}

        events = [
            event("Warning", "InvalidRayServiceSpec", "The RayService spec is invalid: name too long", 1),
            event("Warning", "FailedToUpdateServeApplications", "no: err: connection refused", 1),
            event("Normal", "UpdatedServeApplications", "Updated", 2),
        ]
        found = status(events=events)
        assert list(map(str, found.notes)) == [
            "InvalidRayServiceSpec: The RayService spec is invalid: name too long (3 times)"
        ]
        assert next_step(found) == "fix the values that KubeRay refuses, and helm upgrade"


class TestReasons:
    @pytest.mark.parametrize(
        ("message", "said"),
        [
            (
                "0/4 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node "
                "affinity/selector, 1 node(s) had untolerated taint {team: ml}. preemption: 0/4 nodes are available.",
                "no node takes it: 1 of 4 has too little nvidia.com/gpu free, 2 of 4 do not match nodeSelector gpu=l4, "
                "1 of 4 has the taint team=ml, which it does not tolerate",
            ),
            ("0/2 nodes are available: 2 node(s) were unschedulable.", "no node takes it: 2 of 2 are cordoned"),
            (
                'persistentvolumeclaim "models" not found',
                'no node takes it: persistentvolumeclaim "models" not found',
            ),
        ],
    )
    def test_the_schedulers_words(self, message: str, said: str) -> None:
        assert scheduler_reason(message, {"nodeSelector": {"gpu": "l4"}}) == said

    def pod(self, container: dict[str, Any], **fields: Any) -> dict[str, Any]:
        spec = {"containers": [{"name": "ray-worker", "resources": {"limits": {"memory": "8Gi"}}}]}
        statuses = [{"name": "ray-worker", "image": "ray:1", "restartCount": 2, **container}]
        return {"metadata": {}, "spec": spec, "status": {"containerStatuses": statuses, **fields}}

    @pytest.mark.parametrize(
        ("container", "said"),
        [
            (
                {
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                },
                "container ray-worker starts again and again (2 times): it was killed: its memory limit 8Gi was "
                "exceeded",
            ),
            (
                {"state": {"terminated": {"reason": "Error", "exitCode": 1, "message": "ValueError: no such flag"}}},
                "container ray-worker ended with code 1: ValueError: no such flag",
            ),
            (
                {"state": {"waiting": {"reason": "ErrImageNeverPull", "message": 'image "ray:1" is not present'}}},
                'image ray:1 cannot be pulled: image "ray:1" is not present',
            ),
            ({"state": {"running": {}}, "ready": True}, ""),
        ],
    )
    def test_containers(self, container: dict[str, Any], said: str) -> None:
        reason = pod_reason(self.pod(container))
        assert (reason.text if reason else "") == said
        assert bool(reason and reason.is_failure) is bool(said)

    def test_an_evicted_pod(self) -> None:
        pod = self.pod({}, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
        assert pod_reason(pod) == PodReason("Evicted: The node was low on resource: memory.", is_failure=True)

    def test_waiting_for_the_head_is_no_fault(self) -> None:
        waiting = {"name": "wait-gcs-ready", "state": {"running": {}}}
        pod = {"metadata": {}, "spec": {}, "status": {"initContainerStatuses": [waiting]}}
        assert pod_reason(pod) == PodReason("waiting for the head's Ray to answer", is_failure=False)

    def test_an_images_name_is_said_once(self) -> None:
        message = (
            'Back-off pulling image "x/ray:9": ErrImagePull: failed to pull and unpack image "x/ray:9": failed to '
            'resolve reference "x/ray:9": x/ray:9: not found'
        )
        assert pull_error(message) == "x/ray:9: not found"

    @pytest.mark.parametrize(
        ("message", "said"),
        [
            (
                "Deployment 'LLMServer:a' in application 'a' has 1 replicas that have taken more than 30s to be "
                "scheduled. This may be due to waiting for the cluster to auto-scale or for a runtime environment "
                "to be installed. "
                'Resources required for each replica: [{"CPU": 1.0, "l4-workers": 1.0, "GPU": 0}], total resources '
                "available: {}. Use `ray status` for more details.",
                "a replica waits for 1 CPU, 1 l4-workers; free in the cluster: nothing",
            ),
            (
                "Deployment 'x' in application 'a' has 2 replicas that have taken more than 30s to initialize.",
                "2 replicas have been starting for more than 30s; a large model takes minutes",
            ),
            ("Unexpected error occurred while deploying", "Unexpected error occurred while deploying"),
            (
                '\x1b[36mray::ServeReplica:a()\x1b[39m\n  File "x.py", line 1, in y\nOSError: org/x is not a local '
                "folder\nand no model on the hub\n\nDuring handling of the above:\nRuntimeError: Engine core "
                "initialization failed. See root cause above.",
                "OSError: org/x is not a local folder and no model on the hub",
            ),
            ("huggingface_hub.errors.GatedRepoError: 401 for hf_abcdefghijklmnop", "GatedRepoError: 401 for ***"),
        ],
    )
    def test_the_cause_in_a_long_message(self, message: str, said: str) -> None:
        assert root_cause(message) == said


def test_replicas_are_counted_of_the_metrics() -> None:
    text = """# HELP ray_serve_deployment_replica_healthy x
ray_serve_deployment_replica_healthy{application="a",deployment="LLMServer:a",replica="1"} 1.0
ray_serve_deployment_replica_healthy{application="a",deployment="LLMServer:a",replica="2"} 0.0
ray_serve_autoscaling_target_replicas{application="a",deployment="LLMServer:a"} 2.0
ray_serve_autoscaling_target_replicas{application="b",deployment="LLMServer:b"} 0.0
ray_serve_deployment_replica_healthy{application="a",deployment="Ingress",replica="3"} 1.0
"""
    assert replica_counts(text) == {"a": {"LLMServer:a": (1, 2), "Ingress": (1, 1)}, "b": {"LLMServer:b": (0, 0)}}


def test_who_watches_is_told_what_changed() -> None:
    before = facts(status(pending={"a": app("DEPLOYING")}))
    after = facts(status(active={"a": app("RUNNING")}))
    lines = list(changes(before, after))
    assert "llm: 1 of 1 applications serve" in lines
    assert "llm-1 / a: serves at /inference/a" in lines
    assert "llm-2 / a: is gone" in lines
    assert list(changes(after, after)) == []


def test_metrics_that_are_no_numbers_are_left_out():
    sample = 'ray_serve_autoscaling_target_replicas{application="a",deployment="d"} %s\n'
    assert replica_counts(sample % "NaN" + sample % "+Inf" + sample % "x") == {}
    assert replica_counts(sample % "2") == {"a": {"d": (0, 2)}}


@pytest.mark.parametrize(
    "text", ["5", "[1]", "applications: 5", "applications: [5]", "applications: [{}]", "a: &a [*a]"]
)
def test_a_serve_config_that_is_none_has_no_applications(text):
    odd = {**service(apps=()), "spec": {"serveConfigV2": text}}
    assert release_status(Observed(service=odd, clusters={}, pods=[], events=[]), "llm").clusters == []
