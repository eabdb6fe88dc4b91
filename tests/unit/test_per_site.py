"""What is kept for a site is what would be made for it now."""

import dataclasses

import pytest

from daemun.core import model, site_memory

SITE = model.Site(host="a.test")
EQUAL = model.Site(host="a.test")
CHANGED = dataclasses.replace(SITE, enabled=False)


class Made:
    """Counts how often a value is made."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: site_memory.PerSite[str] = site_memory.PerSite()

    def get(self, site: model.Site, variant: bool | None = None) -> str:
        def make(one: model.Site) -> str:
            self.count += 1
            return f"{one.host} {one.enabled} {variant}"

        return self.kept.get(site, make, variant=variant)


def test_the_same_and_an_equal_site_are_made_once() -> None:
    made = Made()
    for _ in range(3):
        made.kept.enter("surroundings")
        assert made.get(SITE) == made.get(EQUAL) == "a.test True None"
    assert made.count == 1


def test_a_changed_site_other_surroundings_and_another_variant_are_made_anew() -> None:
    made = Made()
    made.kept.enter(["surroundings"])
    made.get(SITE)
    assert made.get(CHANGED) == "a.test False None"
    assert made.get(SITE, variant=True) == "a.test True True"
    assert made.count == 3
    made.kept.enter(["surroundings"])  # equal, not the same
    made.get(CHANGED)
    assert made.count == 3
    made.kept.enter(["others"])
    made.get(CHANGED)
    assert made.count == 4


def test_who_is_not_asked_for_is_forgotten() -> None:
    made = Made()
    for asked in ([SITE], [], [SITE]):
        made.kept.enter(None)
        for site in asked:
            made.get(site)
    assert made.count == 2


def test_sites_of_two_sources_with_one_host_are_two() -> None:
    made = Made()
    other = dataclasses.replace(SITE, origin=model.Origin(source="docker"), enabled=False)
    for _ in range(2):
        made.kept.enter(None)
        assert (made.get(SITE), made.get(other)) == ("a.test True None", "a.test False None")
    assert made.count == 2


def test_what_could_not_be_made_is_tried_again() -> None:
    kept: site_memory.PerSite[str] = site_memory.PerSite()

    def fail(_: model.Site) -> str:
        raise ValueError("no")

    kept.enter(None)
    with pytest.raises(ValueError, match="no"):
        kept.get(SITE, fail)
    assert kept.get(SITE, lambda _: "made") == "made"
