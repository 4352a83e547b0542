"""The check that finds keys which Ray would ignore finds them."""

from ray.serve.schema import ServeDeploySchema

from tests.contract.rendered import ignored_keys


def test_a_key_that_ray_would_drop_is_found_at_every_level() -> None:
    config = {
        "proxy_locatoin": "EveryNode",
        "http_options": {"prot": 8000},
        "applications": [
            {
                "name": "a",
                "import_path": "a:b",
                "route_prefx": "/a",
                "deployments": [{"name": "d", "max_surge": 100, "ray_actor_options": {"num_cpu": 1}}],
            }
        ],
    }
    ServeDeploySchema.model_validate(config | {"applications": [{"name": "a", "import_path": "a:b"}]})

    assert ignored_keys(config, ServeDeploySchema) == [
        "proxy_locatoin",
        "http_options.prot",
        "applications[0].route_prefx",
        "applications[0].deployments[0].max_surge",
        "applications[0].deployments[0].ray_actor_options.num_cpu",
    ]
