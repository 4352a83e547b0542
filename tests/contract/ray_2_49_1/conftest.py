from tests.contract.rendered import require_ray

require_ray("2.49.1")
