"""Quantiles out of buckets are within 1 % of the exact ones, whatever is added or taken away."""

from __future__ import annotations

import statistics
from collections import Counter
from random import Random

import pytest

from tracking.core.sketch import ENDS, bucket_of, merged, quantile, quantiles, value_of


def exact(spans: list[int], share: float) -> float:
    """As most tools have it: between neighbours in proportion."""
    ordered = sorted(spans)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(random: Random) -> list[int]:
    kind = random.randrange(4)
    count = random.choice((1, 2, 7, 400))
    if kind == 0:
        return [random.randrange(0, 60) for _ in range(count)]
    if kind == 1:
        return [int(random.lognormvariate(9, 3)) for _ in range(count)]
    if kind == 2:
        return [int(random.expovariate(1e-7)) for _ in range(count)]
    return [random.choice((0, 1, 86_400_000 * 365 * 200)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(60))
def test_a_quantile_is_within_one_percent(seed: int) -> None:
    random = Random(seed)
    spans = spread(random)
    sketch = Counter(map(bucket_of, spans))
    for share in (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0, random.random()):
        found = quantile(sketch, share)
        assert found is not None
        assert abs(found - exact(spans, share)) <= 0.01 * exact(spans, share)
    assert quantiles(sketch, (0.5, 0.95)) == [quantile(sketch, 0.5), quantile(sketch, 0.95)]
    if len(spans) > 1:
        median = quantile(sketch, 0.5)
        assert median == pytest.approx(statistics.median(spans), rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_sketches_add_up_and_a_span_can_be_taken_back(seed: int) -> None:
    random = Random(seed)
    one, other = spread(random), spread(random)
    both = merged((Counter(map(bucket_of, one)), Counter(map(bucket_of, other))))
    assert both == Counter(map(bucket_of, one + other))
    back = merged((both, {b: -n for b, n in Counter(map(bucket_of, other)).items()}))
    assert back == Counter(map(bucket_of, one)), "nothing of it is left, not even a zero"


def test_every_bucket_is_told_within_one_percent_of_its_ends() -> None:
    for bucket in range(len(ENDS)):
        low, high = (ENDS[bucket - 1] + 1 if bucket else 0), ENDS[bucket]
        assert bucket_of(low) == bucket_of(high) == bucket
        for end in (low, high):
            assert abs(value_of(bucket) - end) <= 0.01 * end


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({7: 0}, 0.5) is None
