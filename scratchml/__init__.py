"""The finished implementations of *From scratch to ML*, in the order of the course."""

# ruff: noqa: I001  (course order)
from .layers import (
    Layer,
    Sequential,
    Linear,
    glorot,
    he,
    standard_normal,
    Sigmoid,
    Tanh,
    ReLU,
    LeakyReLU,
    Softmax,
    softmax,
    Dropout,
    BatchNorm,
    Flatten,
)
from .losses import (
    Loss,
    MSELoss,
    CrossEntropyLoss,
    BCEWithLogitsLoss,
    Penalty,
    L1,
    L2,
)
from .optimizers import (
    Optimizer,
    SGD,
    AdaGrad,
    RMSProp,
    Adam,
    gradient_norm,
    clip_gradients,
)
from .training import (
    batches,
    train_step,
    fit,
    History,
    Callback,
    EarlyStopping,
    Schedule,
    cosine,
    DivergedError,
    Interrupted,
    predict,
    accuracy,
    confusion_matrix,
    random_shift,
    save_weights,
    load_weights,
)
from .checks import gradient_check, same, same_steps, batches_check, CheckFailed
from .text import (
    tokenize,
    Vocabulary,
    pad,
    clean_text8,
    encode_characters,
    decode_characters,
    windows,
)
from .recurrent import (
    Embedding,
    RNN,
    LSTM,
    GRU,
    orthogonal,
    TextClassifier,
    predict_proba,
    CharacterModel,
    fit_tbptt,
    sample,
    generate,
)
from .convolution import (
    output_size,
    im2col,
    col2im,
    Conv2d,
    MaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    local_probabilities,
)
from .squeezenet import Fire, squeezenet, squeezenet_probabilities
from .explanation import Surrogate, Explanation
from .lime import (
    sample_masks,
    mask_distance,
    exponential_kernel,
    fit_surrogate,
    explain_image,
    explain_text,
    explain_tabular,
    superpixels,
    grid_segments,
    submodular_pick,
)
from .many import explain_many, ExplanationFailed
from .faithfulness import (
    deletion_insertion,
    masks_of,
    as_large,
    alone_and_without,
    stability,
    randomised_weights,
    shuffled_weights,
    recovery,
)
from . import datasets, photos
