"""Groups: layers that share a block table. Each block holds one group's layers, so groups are made equally large.

Source: vLLM `v1/core/kv_cache_utils.py::get_kv_cache_groups` and what it calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from generator.facts.vllm_cache import CacheBehaviour
from generator.sizing.cache.pages import Page
from generator.sizing.cache.specs import CacheSpec, MlaSpec, PackedMlaSpec


@dataclass(frozen=True, kw_only=True)
class CacheGroup:
    """Layers with one block table."""

    cache: CacheSpec
    """What its layers keep, or one of them where they differ in width only."""
    block_tokens: int | None
    pages: tuple[tuple[int, int], ...]
    """Index of the decoder layer and bytes of the page, for each of its layers."""

    def block_bytes(self, layers: range) -> int:
        """Bytes that a block of this group takes of a pipeline stage with these decoder layers."""
        return sum(size for layer, size in self.pages if layer in layers)


def cache_groups(pages: Sequence[Sequence[Page]], behaviour: CacheBehaviour) -> list[CacheGroup]:
    """Return the groups of a whole model, from every decoder layer's pages."""
    entries = [(layer, page) for layer, of_layer in enumerate(pages) for page in of_layer]
    if not entries:
        return []
    if _one_type([page for _, page in entries]):
        return [_group(entries)]
    if any(isinstance(page.cache, PackedMlaSpec) for _, page in entries):
        return _side_by_side(entries)
    entries = _equal_pages(entries, behaviour)
    buckets: dict[Page, list[tuple[int, Page]]] = {}
    for layer, page in entries:
        buckets.setdefault(page, []).append((layer, page))
    smallest, largest = min(map(len, buckets.values())), max(map(len, buckets.values()))
    size = largest if largest < smallest * behaviour.group_by_largest_below else smallest
    groups = []
    for bucket in buckets.values():
        count = ceil(len(bucket) / size)
        # Every count-th layer, so that each pipeline stage has its share of every group.
        groups += [_group(bucket[i::count]) for i in range(count)]
    return groups


def _group(entries: Sequence[tuple[int, Page]]) -> CacheGroup:
    first = entries[0][1]
    return CacheGroup(
        cache=first.cache,
        block_tokens=first.block_tokens,
        pages=tuple((layer, page.bytes) for layer, page in entries),
    )


def _side_by_side(entries: Sequence[tuple[int, Page]]) -> list[CacheGroup]:
    """Groups whose blocks hold pages of different sizes: one for each kind of cache, or several where that pads less.

    A kind with as many pages of one size as of every other can be divided, though not finer than the largest of those
    kinds that have several sizes. Source: vLLM `v1/core/kv_cache_utils.py::_get_packed_kv_cache_groups`.
    """
    kinds: dict[object, dict[int, list[tuple[int, Page]]]] = {}
    for layer, page in entries:
        kinds.setdefault(page.kind, {}).setdefault(page.bytes, []).append((layer, page))
    repeats = {kind: _repeats(sizes) for kind, sizes in kinds.items()}
    mixed = max((repeats[kind] for kind, sizes in kinds.items() if len(sizes) > 1), default=0)
    share = _share([count for count in repeats.values() if count], mixed) if mixed else 0
    groups = []
    for kind, sizes in kinds.items():
        count = ceil(repeats[kind] / share) if share and repeats[kind] else 1
        groups += [_group([entry for same in sizes.values() for entry in same[i::count]]) for i in range(count)]
    return groups


def _repeats(sizes: Mapping[int, Sequence[object]]) -> int:
    """How many pages there are of every size; 0 where it is not the same number."""
    counts = {len(same) for same in sizes.values()}
    return counts.pop() if len(counts) == 1 else 0


def _share(counts: Sequence[int], least: int) -> int:
    """Pages of a size in one group, so that groups of so many pad least; of equals the largest."""
    return min(range(least, max(counts) + 1), key=lambda share: (sum(-count % share for count in counts), -share))


def _one_type(pages: Sequence[Page]) -> bool:
    """Whether all layers need as many blocks as one another: then they are one group, whatever their widths."""
    return len({page.kind for page in pages}) == 1


def _equal_pages(entries: list[tuple[int, Page]], behaviour: CacheBehaviour) -> list[tuple[int, Page]]:
    """Make all pages as large as the largest: by larger blocks where that divides, else by padding."""
    most = max(page.bytes for _, page in entries)

    def equal(page: Page) -> Page:
        if page.bytes == most:
            return page
        if page.block_tokens is not None and most % page.bytes == 0 and behaviour.unequal_pages != "refused":
            return replace(page, block_tokens=page.block_tokens * (most // page.bytes), bytes=most)
        return replace(page, bytes=most)

    return [(layer, equal(page)) for layer, page in entries]


def has_pages_that_are_refused(pages: Sequence[Sequence[Page]], behaviour: CacheBehaviour) -> bool:
    """Whether this vLLM version cannot bring the layers' pages to one size, and does not start."""
    together = [page for layer in pages for page in layer]
    if not together or _one_type(together) or any(isinstance(page.cache, PackedMlaSpec) for page in together):
        return False
    most = max(page.bytes for page in together)
    if behaviour.unequal_pages == "refused":
        return any(page.bytes != most for page in together)
    # A latent is read in whole rows, so its page cannot be padded.
    padded = behaviour.unequal_pages == "padded"
    return any(most % page.bytes and not (padded and not isinstance(page.cache, MlaSpec)) for page in together)
