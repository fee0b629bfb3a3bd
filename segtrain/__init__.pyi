"""The public names of segtrain: the one table that `__all__`, the imports on first use and type checkers read."""

from .checkpoints.checkpoint import LoadReport as LoadReport
from .checkpoints.convert import (
    ConversionReport as ConversionReport,
    convert_checkpoint as convert_checkpoint,
)
from .checkpoints.naming import (
    Goal as Goal,
    InputOrder as InputOrder,
)
from .config.choices import (
    Adam as Adam,
    Constant as Constant,
    Cosine as Cosine,
    CrossEntropy as CrossEntropy,
    DiceCrossEntropy as DiceCrossEntropy,
    Exponential as Exponential,
    Momentum as Momentum,
    Ohem as Ohem,
    Polynomial as Polynomial,
)
from .config.config import (
    Config as Config,
    DeviceTarget as DeviceTarget,
    FileFormat as FileFormat,
    Model as Model,
)
from .config.mask_rcnn import MaskRcnn as MaskRcnn
from .config.networks import (
    Backbone as Backbone,
    DeepLabV3PlusS8 as DeepLabV3PlusS8,
    DeepLabV3PlusS16 as DeepLabV3PlusS16,
    DeepLabV3S8 as DeepLabV3S8,
    DeepLabV3S16 as DeepLabV3S16,
)
from .config.recipes import (
    RecipeSummary as RecipeSummary,
    override as override,
    read_config as read_config,
    recipe as recipe,
    recipe_names as recipe_names,
    recipe_summaries as recipe_summaries,
    write_config as write_config,
)
from .config.reference import (
    SettingInfo as SettingInfo,
    all_settings as all_settings,
    settings_named as settings_named,
)
from .config.unet import (
    UNet as UNet,
    UNetSimple as UNetSimple,
)
from .data.semantic.crops import SampleList as SampleList
from .evaluation.instance.coco import (
    AveragePrecision as AveragePrecision,
    ClassPrecision as ClassPrecision,
    InstanceReport as InstanceReport,
)
from .evaluation.instance.evaluate import InstanceEvalReport as InstanceEvalReport
from .evaluation.semantic.confusion import (
    ClassScore as ClassScore,
    SegmentationReport as SegmentationReport,
)
from .evaluation.semantic.evaluate import EvalReport as EvalReport
from .evaluation.semantic.membranes import MembraneReport as MembraneReport
from .exporting.export import (
    ExportInfo as ExportInfo,
    ExportReport as ExportReport,
    export as export,
)
from .inference.instance.predict import InstancePredictReport as InstancePredictReport
from .inference.semantic.predict import PredictReport as PredictReport
from .inference.settings import (
    EvalSettings as EvalSettings,
    Fit as Fit,
)
from .remote.programs import (
    evaluate as evaluate,
    fit as fit,
    predict as predict,
)
from .tasks.task import Scores as Scores
from .training.cross_validate import (
    CrossValidationReport as CrossValidationReport,
    Spread as Spread,
    cross_validate as cross_validate,
)
from .training.events import (
    Evaluated as Evaluated,
    Started as Started,
    StepDone as StepDone,
)
from .training.fit import (
    FitReport as FitReport,
    TrainingInterrupted as TrainingInterrupted,
)

__version__: str
__all__: list[str]
