import pytest

from distsearch.errors import SettingError, StorageError
from distsearch.storage.addresses import Address, is_stored, stored_run


@pytest.mark.parametrize(
    ("text", "scheme", "path", "query"),
    [
        ("/mnt/shared", "", "/mnt/shared", ""),
        ("file:///mnt/with%20space", "", "/mnt/with space", ""),
        ("file://localhost/mnt", "", "/mnt", ""),
        ("s3://bucket", "s3", "bucket", ""),
        ("s3://bucket/a/b/", "s3", "bucket/a/b", ""),
        ("s3://bucket/a?region=eu-west-1&scheme=http", "s3", "bucket/a", "region=eu-west-1&scheme=http"),
        ("gs://bucket/a", "gs", "bucket/a", ""),
    ],
)
def test_folders_and_uris_are_read(text, scheme, path, query):
    assert Address.parse(text) == Address(scheme, path, query)
    assert Address.parse(str(Address.parse(text))) == Address(scheme, path, query)


def test_a_folder_becomes_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(Address.parse("shared")) == str(tmp_path / "shared")


@pytest.mark.parametrize("text", ["/mnt/shared", "/", "s3://bucket/a", "s3://bucket", "s3://bucket/a?scheme=http"])
def test_a_run_is_a_child_of_its_storage(text):
    storage = Address.parse(text)
    run = storage.child("run-1")
    assert (run.name, run.parent, run.query) == ("run-1", storage, storage.query)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://host/path", "expected a folder, file://, s3:// or gs://"),
        ("s4://bucket", "expected a folder, file://, s3:// or gs://"),
        ("s3://", "expected s3://BUCKET/PREFIX"),
        ("s3:///prefix", "expected s3://BUCKET/PREFIX"),
        ("s3://bucket/../other", "expected s3://BUCKET/PREFIX"),
        ("s3://bucket/a//b", "expected s3://BUCKET/PREFIX"),
        ("s3://bucket/a#b", "expected s3://BUCKET/PREFIX"),
        ("s3://bucket?regoin=eu", "unknown option of s3:// 'regoin': did you mean 'region'"),
        ("gs://bucket?region=eu", "unknown option of gs:// 'region'"),
        ("s3://[bucket", "expected a storage URI"),
        ("file://host/path", "expected file:///PATH"),
    ],
)
def test_an_unusable_address_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(SettingError) as refused:
        Address.parse(text)
    assert sentence in str(refused.value)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(SettingError, match="without user and password.*AWS_SECRET_ACCESS_KEY") as refused:
        Address.parse("s3://user:secret@bucket/prefix")
    assert "user:" not in str(refused.value)
    assert "secret@" not in str(refused.value)


def test_secrets_are_not_allowed_as_options_of_a_uri():
    with pytest.raises(SettingError, match="unknown option") as refused:
        Address.parse("s3://bucket?secret_key=hunter2")
    assert "hunter2" not in str(refused.value)


def test_a_run_in_storage_is_distinguished_from_a_name_and_a_directory(tmp_path):
    (tmp_path / "shared").mkdir()
    assert is_stored("s3://bucket/a")
    assert not is_stored("a")
    assert not is_stored(str(tmp_path / "shared"))
    (tmp_path / "shared" / "index.json").touch()
    assert is_stored(str(tmp_path / "shared"))


def test_a_bucket_alone_is_not_a_run():
    with pytest.raises(StorageError, match="expected s3://bucket/NAME"):
        stored_run("s3://bucket")
