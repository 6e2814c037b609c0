"""What every database must do for alerts that wait: keep one text a model, the newest."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from autoretrain.adapters.store import Store
from autoretrain.domain.errors import StoreUnavailable


def test_the_newest_text_is_kept_of_each_model(store: Store, other_store: Store) -> None:
    assert store.outbox() == ""
    store.keep_outbox("first")
    store.keep_outbox("second")
    assert (store.outbox(), other_store.outbox()) == ("second", "")


@pytest.mark.postgres
def test_a_role_that_may_only_read_is_told_so_in_one_error(postgres_database: Callable[[], str]) -> None:
    url = postgres_database()
    with Store(url, model="default.sms") as store:
        store.migrate()
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE only_reads LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO only_reads")
    try:
        reader = sa.make_url(url).set(username="only_reads").render_as_string(hide_password=False)
        with Store(reader, model="default.sms") as store:
            store.migrate()
            assert store.outbox() == ""
            with pytest.raises(StoreUnavailable, match="permission denied for table outbox"):
                store.keep_outbox("text")
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY only_reads")
            connection.exec_driver_sql("DROP ROLE only_reads")
        engine.dispose()
