import pytest

from medgan.metrics.scoring import TASKS


@pytest.fixture
def few_scores(monkeypatch):
    """Leaves three fusion scores, which are compiled in a second and suit small images."""
    table, prepared = TASKS["fusion"]
    kept = {key: table[key] for key in ("sf", "scd", "ssim")}
    monkeypatch.setitem(TASKS, "fusion", (kept, prepared))
    return kept
