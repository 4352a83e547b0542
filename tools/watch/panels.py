"""The dashboards as data: each panel answers one question of docs/operations.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RELEASE = 'namespace=~"$namespace",ray_service=~"$ray_service"'
APPLICATION = f'{RELEASE},application=~"$application"'
MODEL = f'{RELEASE},model_name=~"$model"'
RATE = "[$__rate_interval]"


@dataclass(frozen=True, kw_only=True)
class Panel:
    title: str
    question: str
    """What it answers, shown beside its title."""
    queries: Mapping[str, str]
    """By legend, in Grafana's words."""
    unit: str = "short"
    """Grafana's id of the unit."""
    kind: str = "timeseries"
    width: int = 12
    """Of 24."""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    name: str
    title: str
    variables: Mapping[str, str]
    """By name, the series and the label whose values it has: `series, label`."""
    panels: Sequence[Panel]


def quantile(part: float, metric: str, by: str, matching: str = RELEASE) -> str:
    return f"histogram_quantile({part}, sum by ({by}, le) (rate({metric}_bucket{{{matching}}}{RATE})))"


def per_second(metric: str, by: str, matching: str = RELEASE) -> str:
    return f"sum by ({by}) (rate({metric}{{{matching}}}{RATE}))"


def errors(by: str, matching: str = RELEASE) -> str:
    metric = "ray_serve_num_http_requests_total"
    failed = per_second(metric, by, f'{matching},status_code=~"5.."')
    return share(failed, per_second(metric, by, matching))


def share(part: str, whole: str) -> str:
    """In percent. A counter is told from its first event on; until then its share is 0."""
    return f"100 * ({part} or 0 * {whole}) / {whole}"


NAMESPACE = {"namespace": "ray_serve_application_status, namespace"}
SERVICE = NAMESPACE | {"ray_service": 'ray_serve_application_status{namespace=~"$namespace"}, ray_service'}
OF_A_MODEL = SERVICE | {
    "application": f"ray_serve_application_status{{{RELEASE}}}, application",
    "model": f"ray_vllm_num_requests_running{{{RELEASE}}}, model_name",
}

FLEET = Dashboard(
    name="fleet",
    title="Ray Serve LLM / Fleet",
    variables=SERVICE,
    panels=[
        Panel(
            title="Deployments that are healthy",
            question="Does everything run that shall run?",
            queries={"healthy": f"count(ray_serve_deployment_status{{{RELEASE}}} == 6) or vector(0)"},
            kind="stat",
            width=4,
        ),
        Panel(
            title="Deployments that are not",
            question="How many are updating, scaling or unhealthy?",
            queries={"not healthy": f"count(ray_serve_deployment_status{{{RELEASE}}} < 6) or vector(0)"},
            kind="stat",
            width=4,
        ),
        Panel(
            title="Alerts",
            question="What needs a person now? Each is an entry of the runbook.",
            queries={
                "{{alertname}} {{ray_service}}": 'sum by (alertname, ray_service) (ALERTS{alertname=~"RayServeLLM.+",'
                'alertstate="firing",namespace=~"$namespace",ray_service=~"$ray_service"})'
            },
            kind="stat",
            width=16,
        ),
        Panel(
            title="Requests",
            question="Who asks how much?",
            queries={
                "{{ray_service}} {{application}}": per_second(
                    "ray_serve_num_http_requests_total", "ray_service, application"
                )
            },
            unit="reqps",
        ),
        Panel(
            title="Requests that fail",
            question="Which share ends with a fault of the server?",
            queries={"{{ray_service}} {{application}}": errors("ray_service, application")},
            unit="percent",
        ),
        Panel(
            title="Time to the first token, 19 of 20 requests",
            question="How long do people wait for the beginning?",
            queries={
                "{{ray_service}} {{model_name}}": quantile(
                    0.95, "ray_vllm_time_to_first_token_seconds", "ray_service, model_name"
                )
            },
            unit="s",
        ),
        Panel(
            title="Time per token, 19 of 20 answers",
            question="How fast do answers go on?",
            queries={
                "{{ray_service}} {{model_name}}": quantile(
                    0.95, "ray_vllm_request_time_per_output_token_seconds", "ray_service, model_name"
                )
            },
            unit="s",
        ),
        Panel(
            title="Tokens generated",
            question="What does the fleet give?",
            queries={
                "{{ray_service}} {{model_name}}": per_second(
                    "ray_vllm_generation_tokens_total", "ray_service, model_name"
                )
            },
        ),
        Panel(
            title="Replicas that answer",
            question="Where does the hardware go?",
            queries={
                "{{ray_service}} {{application}} {{deployment}}": "sum by (ray_service, application, deployment) "
                f"(ray_serve_deployment_replica_healthy{{{RELEASE}}})"
            },
        ),
    ],
)

MODELS = Dashboard(
    name="model",
    title="Ray Serve LLM / Model",
    variables=OF_A_MODEL,
    panels=[
        Panel(
            title="Requests by status",
            question="Do requests end well? 499 is a client that went away.",
            queries={"{{status_code}}": per_second("ray_serve_num_http_requests_total", "status_code", APPLICATION)},
            unit="reqps",
        ),
        Panel(
            title="Replicas",
            question="Are there as many as there shall be, and does Serve want more?",
            queries={
                "{{deployment}} healthy": "sum by (deployment) "
                f"(ray_serve_deployment_replica_healthy{{{APPLICATION}}})",
                "{{deployment}} wanted": "max by (deployment) "
                f"(ray_serve_autoscaling_desired_replicas{{{APPLICATION}}})",
            },
        ),
        Panel(
            title="Time to the first token",
            question="How long is the wait, for most and for the slowest?",
            queries={
                f"{part}": quantile(part, "ray_vllm_time_to_first_token_seconds", "model_name", MODEL)
                for part in (0.5, 0.95, 0.99)
            },
            unit="s",
        ),
        Panel(
            title="Time per token",
            question="How fast do answers go on?",
            queries={
                f"{part}": quantile(part, "ray_vllm_request_time_per_output_token_seconds", "model_name", MODEL)
                for part in (0.5, 0.95, 0.99)
            },
            unit="s",
        ),
        Panel(
            title="Requests that wait and that run",
            question="Is the engine full? Waiting ones are what more replicas help.",
            queries={
                "{{ReplicaId}} waits": f"sum by (ReplicaId) (ray_vllm_num_requests_waiting{{{MODEL}}})",
                "{{ReplicaId}} runs": f"sum by (ReplicaId) (ray_vllm_num_requests_running{{{MODEL}}})",
            },
        ),
        Panel(
            title="Time in the queue",
            question="Which part of the wait is for a place?",
            queries={"0.95": quantile(0.95, "ray_vllm_request_queue_time_seconds", "model_name", MODEL)},
            unit="s",
        ),
        Panel(
            title="KV cache in use",
            question="Is there room for more requests, or longer ones?",
            queries={"{{ReplicaId}}": f"100 * max by (ReplicaId) (ray_vllm_kv_cache_usage_perc{{{MODEL}}})"},
            unit="percent",
        ),
        Panel(
            title="Preemptions",
            question="Are requests computed twice, since the cache does not hold them?",
            queries={"{{ReplicaId}}": per_second("ray_vllm_num_preemptions_total", "ReplicaId", MODEL)},
            unit="reqps",
        ),
        Panel(
            title="Prompts found in the cache",
            question="Which share of the prompts' tokens need not be computed?",
            queries={
                "found": share(
                    per_second("ray_vllm_prefix_cache_hits_total", "model_name", MODEL),
                    per_second("ray_vllm_prefix_cache_queries_total", "model_name", MODEL),
                )
            },
            unit="percent",
        ),
        Panel(
            title="Length of prompts and answers",
            question="What are people asking? Longer prompts make the first token late.",
            queries={
                "prompt 0.5": quantile(0.5, "ray_vllm_request_prompt_tokens", "model_name", MODEL),
                "prompt 0.95": quantile(0.95, "ray_vllm_request_prompt_tokens", "model_name", MODEL),
                "answer 0.5": quantile(0.5, "ray_vllm_request_generation_tokens", "model_name", MODEL),
                "answer 0.95": quantile(0.95, "ray_vllm_request_generation_tokens", "model_name", MODEL),
            },
        ),
        Panel(
            title="Tokens",
            question="How much work is it?",
            queries={
                "of prompts": per_second("ray_vllm_prompt_tokens_total", "model_name", MODEL),
                "of answers": per_second("ray_vllm_generation_tokens_total", "model_name", MODEL),
            },
        ),
        Panel(
            title="Why answers end",
            question="Are they cut off? `length` is at max_tokens or at the context.",
            queries={"{{finished_reason}}": per_second("ray_vllm_request_success_total", "finished_reason", MODEL)},
            unit="reqps",
        ),
    ],
)

CLUSTER = Dashboard(
    name="cluster",
    title="Ray Serve LLM / Cluster",
    variables=SERVICE,
    panels=[
        Panel(
            title="Pods that are collected",
            question="Does Prometheus reach every pod? Two clusters are there while one takes over from the other.",
            queries={
                "{{ray_io_cluster}} {{endpoint}}": "sum by (ray_io_cluster, endpoint) "
                '(up{namespace=~"$namespace",ray_service=~"$ray_service"})'
            },
        ),
        Panel(
            title="Proxies that are healthy",
            question="Can requests come in on every pod?",
            queries={"{{ray_io_cluster}}": f"count by (ray_io_cluster) (ray_serve_proxy_status{{{RELEASE}}} == 2)"},
        ),
        Panel(
            title="Pods that wait",
            question="Does the cluster lack nodes? (kube-state-metrics)",
            queries={
                "{{pod}}": 'max by (pod) (kube_pod_status_phase{namespace=~"$namespace",phase="Pending",'
                'pod=~".+-(head|worker)-.+"}) > 0'
            },
        ),
        Panel(
            title="Changes under way",
            question="Is a new cluster coming up beside the old one? (KubeRay's operator)",
            queries={
                "{{name}}": "max by (name) (kuberay_service_condition_upgrade_in_progress"
                '{condition="true",name=~"$ray_service"})'
            },
        ),
        Panel(
            title="GPUs in use",
            question="Do the GPUs work? A GPU that holds a model and does nothing costs the same.",
            queries={"{{pod}} {{GpuIndex}}": f"max by (pod, GpuIndex) (ray_node_gpus_utilization{{{RELEASE}}})"},
            unit="percent",
        ),
        Panel(
            title="GPU memory in use",
            question="Is there somebody beside the engine?",
            queries={
                "{{pod}} {{GpuIndex}}": f"100 * max by (pod, GpuIndex) (ray_node_gram_used{{{RELEASE}}} / "
                f"(ray_node_gram_used{{{RELEASE}}} + ray_node_gram_available{{{RELEASE}}}))"
            },
            unit="percent",
        ),
        Panel(
            title="CPU",
            question="Is a pod short of CPUs? An engine's own process needs one whole.",
            queries={"{{pod}}": f"max by (pod) (ray_node_cpu_utilization{{{RELEASE}}})"},
            unit="percent",
        ),
        Panel(
            title="Memory",
            question="Does a pod come near its limit? Ray ends processes from 95 % on.",
            queries={
                "{{pod}}": f"100 * max by (pod) (ray_node_mem_used{{{RELEASE}}} / ray_node_mem_total{{{RELEASE}}})"
            },
            unit="percent",
        ),
        Panel(
            title="Servers behind HAProxy",
            question="To how many replicas do requests go? (throughput path)",
            queries={
                "{{proxy}}": f'max by (proxy) (haproxy_backend_active_servers{{{RELEASE},proxy=~"http-.+"}})',
            },
        ),
        Panel(
            title="Answers of HAProxy that are faults",
            question="Are there faults before a replica, or behind? (throughput path)",
            queries={
                "{{proxy}}": per_second(
                    "haproxy_backend_http_responses_total", "proxy", f'{RELEASE},code="5xx",proxy=~"http-.+"'
                )
            },
            unit="reqps",
        ),
        Panel(
            title="Disk",
            question="Does a node's disk fill? Downloaded models and logs lie there.",
            queries={"{{pod}}": f"max by (pod) (ray_node_disk_utilization_percentage{{{RELEASE}}})"},
            unit="percent",
        ),
        Panel(
            title="Replicas that were started",
            question="Do replicas end and start again?",
            queries={
                "{{application}} {{deployment}}": "sum by (application, deployment) "
                f"(increase(ray_serve_deployment_replica_starts_total{{{RELEASE}}}[1h]))"
            },
        ),
    ],
)

DASHBOARDS = (FLEET, MODELS, CLUSTER)
