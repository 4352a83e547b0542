"""prePullImages: the image is on the nodes before a worker is."""

from tests.chart.rendering import GROUP, Render

ON = {"prePullImages": True}


def test_it_is_off(render_with: Render) -> None:
    assert not render_with().of("DaemonSet")


def test_every_worker_group_has_its_image_on_its_nodes(render_with: Render) -> None:
    where = {"nodeSelector": {"gpu": "h100"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}
    rendered = render_with(ON | {"workerGroups": {GROUP: where, "other": {"image": {"tag": "2.60.0-py311"}}}})

    sets = {each["spec"]["template"]["metadata"]["labels"]["ray-serve-llm/worker-group"]: each["spec"] for each in
            rendered.of("DaemonSet")}  # fmt: skip
    assert sets.keys() == {GROUP, "other"}
    for name, spec in sets.items():
        pod, worker = spec["template"]["spec"], rendered.pod(name)
        (container,) = pod["containers"]
        assert container["image"] == rendered.container(name)["image"]
        assert container["securityContext"] == rendered.container(name)["securityContext"] | {
            "readOnlyRootFilesystem": True
        }
        assert pod["securityContext"] == worker["securityContext"]
        for key in ("nodeSelector", "tolerations", "affinity"):
            assert pod.get(key) == worker.get(key), key
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_its_pods_are_not_taken_for_workers(render_with: Render) -> None:
    (daemons,) = render_with(ON).of("DaemonSet")
    labels = daemons["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "image"
    assert "nvidia.com/gpu" not in str(daemons["spec"]["template"]["spec"]["containers"][0]["resources"])
