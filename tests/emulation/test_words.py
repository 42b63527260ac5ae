import pytest

from bankbridge.emulation import Script, UnknownWordError, attempts_of, check_word


def test_the_last_word_of_a_script_repeats():
    script = Script(["mfa", "fails", "succeeds"], ["succeeds", "fails", "mfa"])
    assert [script.take() for _ in range(5)] == ["mfa", "fails", "succeeds", "succeeds", "succeeds"]
    assert script.word == "succeeds"


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(UnknownWordError, match="unknown script word 'suceeds': did you mean 'succeeds'"):
        Script(["suceeds"], ["succeeds", "fails"])
    with pytest.raises(UnknownWordError, match=r"unknown mode 'early '.* known are late, early"):
        check_word("mode", "early ", ["late", "early"])


def test_a_script_has_a_word():
    with pytest.raises(ValueError, match="at least one"):
        Script([], ["succeeds"])


@pytest.mark.parametrize(
    ("username", "attempts"),
    [
        ("mfa", ("mfa",)),
        ("mfa, succeeds", ("mfa", "succeeds")),
        ("41614850-3", ("succeeds",)),
        ("Doe, Jane", ("succeeds",)),
        ("", ("succeeds",)),
    ],
)
def test_a_user_name_may_be_made_of_script_words(username, attempts):
    assert attempts_of(username, ("succeeds", "mfa")) == attempts


def test_a_misspelt_word_in_a_user_name_is_no_success():
    with pytest.raises(UnknownWordError, match="'sucks': did you mean 'succeeds'"):
        attempts_of("mfa, sucks", ("succeeds", "mfa"))


def test_of_very_many_words_only_the_nearest_are_told():
    many = [f"switch_{number}" for number in range(70)]
    with pytest.raises(UnknownWordError) as caught:
        check_word("switch", "swich_7", many)
    assert "did you mean 'switch_7'? the nearest are switch_7, " in str(caught.value)
    assert str(caught.value).count("switch_") == 6
