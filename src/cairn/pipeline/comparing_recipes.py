"""What `cairn bench recipes` does with a folder of photos: trains in each way on several splits, and asks test."""

from pathlib import Path

from cairn.base.settings import (
    DescribeSettings,
    EvaluateSettings,
    RecipesBenchSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.watching import Watch
from cairn.bench.parts import Row
from cairn.bench.recipes import TrainingWay, rows_of, ways
from cairn.models.networks import require_torch
from cairn.pipeline.finetuning import asked_of, card_of, folder_name, images_of
from cairn.pipeline.importing import Lists
from cairn.pipeline.steps import evaluate, import_photos, index, split, train
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TEST


def compare_recipes(
    work: Path, lists: Lists, *, describing: DescribeSettings, settings: RecipesBenchSettings, watch: Watch
) -> list[Row]:  # fmt: skip
    """GAP with distractors and top-1 of each way for each seed; all lies in `work`, and is not made twice.

    Raises InputError where the backbone cannot be trained, MissingExtra without torch.
    """
    require_torch(describing.backbone)
    import_photos(work, lists=lists, watch=watch)
    found: list[dict[str, tuple[float, float]]] = []
    for seed in settings.seeds:
        split(
            work, settings=SplitSettings(ratio=settings.ratio, seed=seed), fresh=True, watch=watch
        )
        scores = {}
        for way in ways(mended=settings.mended):
            scores[way.name] = _scores(Path(work), way, describing, settings, watch)
            gap, top_1 = scores[way.name]
            watch.note(f"seed {seed}, {way.name}: GAP {gap:.3f}, top-1 {top_1:.3f}")
        found.append(scores)
    return rows_of(found)


def _scores(
    work: Path, way: TrainingWay, describing: DescribeSettings, settings: RecipesBenchSettings, watch: Watch
) -> tuple[float, float]:  # fmt: skip
    if way.answers == "head":
        return _of_head(WorkFolder(work), way, describing, settings, watch)
    training = TrainSettings(recipe=way.recipe)
    train(
        work, name=way.recipe, describing=describing, settings=training,
        recipe=way.settings(epochs=settings.old_epochs), watch=watch,
    )  # fmt: skip
    index(work, name=way.recipe, watch=watch)
    # Intervals over the images are not asked for here: the spread over the splits is.
    scores = evaluate(
        work, name=way.recipe, settings=EvaluateSettings(n_bootstrap=0), watch=watch
    ).scores
    return scores.gap.value or 0.0, scores.top1.value or 0.0


def _of_head(
    place: WorkFolder, way: TrainingWay, describing: DescribeSettings, settings: RecipesBenchSettings, watch: Watch
) -> tuple[float, float]:  # fmt: skip
    """What the landmark head itself answers about test, as the old project did."""
    from cairn.training.finetuning import finetune
    from cairn.training.judging import Val
    from cairn.training.machine import workers_of
    from cairn.training.ranks import Ranks

    recipe = way.settings(epochs=settings.old_epochs)
    asked = asked_of(place, describing, watch)
    found = finetune(
        asked.train_images(), asked.val_images(), recipe, config=asked.backbone.config, weights=asked.weights,
        store=place.images, folder=place.networks("bench") / folder_name(card_of(asked, recipe)), watch=watch,
        ranks=Ranks.alone(),
    )  # fmt: skip
    test = place.split().table.filter(part=TEST).join(
        place.catalog().images.select("image_id", "landmark_ids", "path").drop_nulls("landmark_ids"),
        on="image_id", maintain_order="left",
    )  # fmt: skip
    judged = Val(
        images_of(test, asked.landmark_ids), place.images, recipe.augment.side_px, found.mean, found.deviation,
        workers_of(recipe.finetune.workers),
    )  # fmt: skip
    gap, told = judged.judge(found.parts)
    return gap, told["top_1"]
