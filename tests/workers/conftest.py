import pytest
from pools import POOLS


@pytest.fixture(params=POOLS)
def pool(request) -> str:
    if request.param != "local":
        request.getfixturevalue("ray_with_three_cpus")
    return request.param
