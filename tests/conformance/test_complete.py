import inspect

import pytest
from subjects import EXCEPTIONS, LAYERS, LOSSES, METRICS, NETWORKS, TRAINERS, one_of_each

from medgan import layers, losses, metrics, models, networks

LISTS = [
    (layers, LAYERS, inspect.isclass),
    (losses, LOSSES, inspect.isclass),
    (metrics, METRICS, inspect.isclass),
    (networks, NETWORKS, callable),
    (models, TRAINERS, inspect.isclass),
]


@pytest.mark.parametrize(
    "package, subjects, counts", LISTS, ids=[package.__name__ for package, _, _ in LISTS]
)
def test_everything_public_is_a_subject(package, subjects, counts):
    public = {name for name in package.__all__ if counts(getattr(package, name))}
    assert {subject.public_name for subject in subjects} == public - set(EXCEPTIONS)


def test_every_exception_is_still_public():
    public = {name for package, _, _ in LISTS for name in package.__all__}
    assert set(EXCEPTIONS) <= public


@pytest.mark.parametrize("subjects", [entry[1] for entry in LISTS], ids=lambda s: s[0].name)
def test_names_are_told_apart(subjects):
    names = [subject.name for subject in subjects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("subject", one_of_each(NETWORKS), ids=str)
def test_a_network_bears_the_name_of_its_function(subject):
    assert subject.make().name == subject.public_name


def test_what_is_called_abstract_is_abstract():
    abstract = [name for name, reason in EXCEPTIONS.items() if reason == "abstract"]
    packages = (losses, metrics, models)
    for name in abstract:
        (owner,) = (package for package in packages if hasattr(package, name))
        assert inspect.isabstract(getattr(owner, name)), name
