"""Every shipped segment, offer and destination loads, binds and is worth having."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.activation.messages import vet_offer
from cdp_pipeline.activation.projection import vet_destination
from cdp_pipeline.activation.triggers import carriers
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.segments.rules import FEATURES_TABLE, vet_segment
from cdp_pipeline.warehouse.rehearsal import rehearse


@pytest.fixture(scope="module")
def project(repository: Path) -> Project:
    return load_project(repository)


@pytest.fixture(scope="module")
def columns(project: Project) -> dict[str, str]:
    return rehearse(project, load_settings(project.root))[FEATURES_TABLE]


def test_a_dozen_segments_bind_to_the_features(project: Project, columns: dict[str, str]) -> None:
    predicates = {
        name: vet_segment(spec, columns=columns, path=project.path_of("segment", name))
        for name, spec in project.segments.items()
    }
    assert len(predicates) >= 12
    assert len(set(predicates.values())) == len(predicates)


def test_segments_name_rfm_groups_that_exist(project: Project, repository: Path) -> None:
    groups = (repository / "sql/features/rfm_segment_map.sql").read_text(encoding="utf-8")
    for spec in project.segments.values():
        if "rfm_segment" in spec.where:
            named = spec.where.split("'")[1::2]
            assert named
            assert [name for name in named if f"'{name}'" not in groups] == []


def test_segments_tell_people_what_they_are_for(project: Project) -> None:
    for spec in project.segments.values():
        assert spec.description, spec.name
        assert spec.next_step, spec.name
        # What is sent is measured; what is not sent needs no holdout.
        assert (spec.holdout_share > 0) == (spec.channel is not None), spec.name


def test_offers_bind_and_have_a_way_out(project: Project, columns: dict[str, str]) -> None:
    assert len(project.offers) >= 3
    for name, spec in project.offers.items():
        vet_offer(spec, columns=columns, path=project.path_of("offer", name))
        assert carriers(project, spec), name
        assert project.segments[spec.segment].channel == spec.channel, name


def test_destinations_bind(project: Project, columns: dict[str, str]) -> None:
    assert len(project.destinations) >= 5
    for name, spec in project.destinations.items():
        vet_destination(spec, columns=columns, path=project.path_of("destination", name))


def test_hashing_destinations_hash_every_name_and_address(project: Project) -> None:
    for name in ("google_ads", "meta_ads"):
        for field in project.destinations[name].fields:
            if field.column in {"email", "phone", "given_name", "family_name"}:
                assert field.hash == name.removesuffix("_ads"), field.header


def test_the_winter_boots_offer_is_the_one_promised(project: Project) -> None:
    offer = project.offers["winter_boots_10_percent"]
    assert (offer.discount_share, offer.valid_days) == (0.10, 7)
    assert (offer.cap_count, offer.cap_days) == (1, 30)
    sent = {field.column for field in project.destinations["push_service"].fields}
    assert {"customer_id", "product_name", "discount", "store_name"} <= sent
