from dataclasses import replace

import pytest

from emamba.report.scores import MEASURES, measure, scores, signed, subjects_without_labels, task, validation


def test_accuracy_is_written_in_per_cent_and_points():
    accuracy = MEASURES["classification"]
    assert accuracy.written(0.99167) == "99.17 %"
    assert accuracy.difference(0.9889, 0.9917) == "\N{MINUS SIGN}0.28 points"


def test_an_error_is_written_in_centimetres():
    error = MEASURES["regression"]
    assert error.written(0.07616) == "7.62 cm"
    assert error.difference(0.0765, 0.0762) == "+0.03 cm"


def test_a_text_is_written_in_bits():
    bits = MEASURES["language"]
    assert bits.written(1.76049) == "1.760 bits a byte"
    assert bits.difference(1.7651, 1.7605) == "+0.005 bits"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "+0.50"), (-0.5, "\N{MINUS SIGN}0.50"), (0.0, "+0.00"), (-0.001, "+0.00")],
)
def test_signs(value, text):
    assert signed(value) == text


def test_the_task_is_that_of_the_results_and_before_them_that_of_the_data(results, radar):
    assert (task(results), measure(results).name) == ("classification", "Accuracy")
    assert (task(radar), measure(radar).name) == ("regression", "RMSE")
    assert task(replace(radar, training=None)) == "regression"
    assert task(replace(results, training=None)) == "classification"


def test_scores_come_from_training_until_quantization_has_run(radar):
    for found in (scores, validation):
        assert list(found(radar)) == ["float", "approximated", "post_training", "integer"]
        assert list(found(replace(radar, quantization=None))) == ["float", "approximated"]
        assert found(replace(radar, quantization=None, training=None)) == {}


def test_without_validation_images_there_are_no_scores_of_them(results):
    assert validation(results) == {}


def test_a_subject_is_without_labels_only_where_the_data_say_so(results, radar):
    assert subjects_without_labels(radar) == {"1"}
    assert subjects_without_labels(results) == set()
    assert subjects_without_labels(replace(radar, training=None)) == set()
    training = radar.config.training.model_copy(update={"validation": "trains"})
    trained = replace(radar, config=radar.config.model_copy(update={"training": training}))
    assert subjects_without_labels(trained) == set()
