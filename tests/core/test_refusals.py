"""A problem that keeps its work: the one exception with which a unit of work commits."""

import pytest
from sqlalchemy import text

from app.core.cache import ConfigVersion
from app.core.database import db
from app.core.errors import Conflict, Unauthorized
from app.core.unit_of_work import after_commit, transactional, unit_of_work

pytestmark = pytest.mark.usefixtures("app")


class Counted(Unauthorized):
    keeps_work = True


def write(error, calls, nested=False):
    with unit_of_work() as session:
        if nested:
            write(error, calls)
        session.add(ConfigVersion(name="refused", version=1))
        session.flush()
        after_commit(lambda: calls.append("committed"))
        raise error


def kept():
    db.session.rollback()
    return db.session.scalar(text("SELECT count(*) FROM config_version WHERE name = 'refused'"))


@pytest.mark.parametrize(("error", "rows"), [(Counted(), 1), (Conflict(), 0), (RuntimeError(), 0)])
def test_only_a_problem_that_says_so_keeps_the_work(error, rows):
    calls = []
    with pytest.raises(type(error)):
        write(error, calls)
    assert kept() == rows
    assert len(calls) == rows


def test_the_outermost_unit_commits_what_an_inner_refusal_keeps():
    calls = []
    with pytest.raises(Counted):
        write(Counted(), calls, nested=True)
    assert (kept(), calls) == (1, ["committed"])


def test_a_transactional_function_raises_it_too():
    calls = []
    with pytest.raises(Counted):
        transactional(write)(Counted(), calls)
    assert (kept(), calls) == (1, ["committed"])


def test_what_an_outer_function_catches_is_no_refusal():
    calls = []
    with unit_of_work():
        with pytest.raises(Counted):
            write(Counted(), calls)
        assert calls == []
    assert (kept(), calls) == (1, ["committed"])
