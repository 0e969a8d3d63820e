"""A watch is believed as long as listings show nothing it has not told."""

from __future__ import annotations

from ticketly_operator.watching import WatchProof

A, B = ("ns", "a"), ("ns", "b")


def test_silence_with_agreeing_listings_is_proof():
    proof = WatchProof(0)
    proof.delivered(A, "1", 1)
    for moment in range(30, 300, 30):
        proof.listed({A: "1"}, moment)
    assert proof.age(280) == 10


def test_an_object_the_watch_has_not_told_about_ages_the_proof():
    proof = WatchProof(0)
    proof.delivered(A, "1", 1)
    for moment in range(30, 300, 30):
        proof.listed({A: "2"}, moment)
    assert proof.age(280) == 279
    proof.delivered(A, "2", 281)
    assert proof.age(281) == 0


def test_without_listings_the_proof_ages():
    assert WatchProof(0).age(151) == 151


def test_a_deleted_object_is_not_overdue_and_one_that_comes_back_is():
    proof = WatchProof(0)
    proof.delivered(A, "1", 1)
    proof.listed({}, 30)
    proof.listed({A: "1"}, 60)
    assert proof.age(60) == 30


def test_a_process_that_waited_long_to_lead_starts_proven():
    proof = WatchProof(0)
    assert proof.age(3600) == 3600
    proof.begin(3600)
    assert proof.age(3601) == 1
