"""What strategies, losses, readers and pools must do: checks for those who write their own.

    from distsearch import testing

    @pytest.mark.parametrize("check", testing.STRATEGY_CHECKS)
    def test_my_strategy(check):
        check(MyStrategy)

Each check raises an AssertionError that says what was expected.
"""

from distsearch.testing.losses import LOSS_CHECKS
from distsearch.testing.pools import POOL_CHECKS
from distsearch.testing.readers import check_reader
from distsearch.testing.strategies import STRATEGY_CHECKS

__all__ = ["LOSS_CHECKS", "POOL_CHECKS", "STRATEGY_CHECKS", "check_reader"]
