"""Networks in PyTorch: Mamba, exact and hardware-friendly."""

from emamba.model.mamba import Mamba, State, exact_twin

__all__ = ["Mamba", "State", "exact_twin"]
