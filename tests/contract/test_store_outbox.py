"""What every database must do for alerts that wait: keep one text a model, the newest."""

from autoretrain.adapters.store import Store


def test_the_newest_text_is_kept_of_each_model(store: Store, other_store: Store) -> None:
    assert store.outbox() == ""
    store.keep_outbox("first")
    store.keep_outbox("second")
    assert (store.outbox(), other_store.outbox()) == ("second", "")
