"""Attacks of other libraries on a network as a torch module: they find about what our own attack finds."""

import numpy as np
import pytest

import fewfire
from fewfire import TwoLayerNetwork
from fewfire.adversarial import Attack, Box, robust_accuracy
from fewfire.prepare import InputScaling

torch = pytest.importorskip("torch", reason="the extra attacks is not installed")
datasets = pytest.importorskip("sklearn.datasets", reason="the digits need scikit-learn")
from fewfire.torch import as_module  # noqa: E402

SAMPLES, RADIUS, STEPS = 200, 0.1, 40
ABSENT = "the extra attacks is not installed"


class Attacked:
    """A network trained on the digits, and the share of samples that attacks on its module break."""

    def __init__(self) -> None:
        samples, labels = datasets.load_digits(return_X_y=True)
        scaling = InputScaling.fit(samples, standardize=False)
        network = TwoLayerNetwork.initialize(1000, 65, 10, threshold=1.2)
        targets = np.eye(10, dtype=np.float32)[labels]
        fewfire.train(
            network, scaling.transform(samples), targets, epochs=20, batch_size=64, loss="softmax", seed=0
        )
        self.module = as_module(network, scaling, input_shape=(1, 8, 8), unit=16).eval()
        self.x = torch.from_numpy(samples[:SAMPLES].reshape(-1, 1, 8, 8) / 16).float()
        self.labels = torch.from_numpy(labels[:SAMPLES])
        rows = samples[:SAMPLES].astype(np.float32)

        def broken(attack):
            found = robust_accuracy(network, rows, labels[:SAMPLES], attack, scaling=scaling)
            return float(found.broken.mean())

        box, radius = Box(0, 16), 16 * RADIUS
        self.by_fgsm = broken(Attack.fgsm(radius=radius, box=box))
        self.by_pgd = broken(Attack(radius=radius, steps=50, restarts=10, box=box))

    def broken_by(self, points) -> float:
        """The share of points that the network errs on; they must lie in ball and box."""
        points = torch.as_tensor(points)
        assert float((points - self.x).abs().max()) <= RADIUS + 1e-6
        assert 0 <= float(points.min()) <= float(points.max()) <= 1
        return float((self.module(points).argmax(dim=1) != self.labels).float().mean())


@pytest.fixture(scope="module")
def attacked():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (ART starts from there)
    return Attacked()


def by_foolbox(attacked):
    foolbox = pytest.importorskip("foolbox", reason=ABSENT)
    model = foolbox.PyTorchModel(attacked.module, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=RADIUS / 10, steps=STEPS)
    return attack(model, attacked.x, attacked.labels, epsilons=RADIUS)[1]


def by_torchattacks(attacked):
    torchattacks = pytest.importorskip("torchattacks", reason=ABSENT)
    attack = torchattacks.PGD(attacked.module, eps=RADIUS, alpha=RADIUS / 10, steps=STEPS)
    return attack(attacked.x, attacked.labels)


def by_art(attacked):
    estimators = pytest.importorskip("art.estimators.classification", reason=ABSENT)
    evasion = pytest.importorskip("art.attacks.evasion", reason=ABSENT)
    classifier = estimators.PyTorchClassifier(
        attacked.module, torch.nn.CrossEntropyLoss(), input_shape=(1, 8, 8), nb_classes=10, clip_values=(0, 1)
    )
    attack = evasion.ProjectedGradientDescent(
        classifier, eps=RADIUS, eps_step=RADIUS / 10, max_iter=STEPS, verbose=False
    )
    return attack.generate(attacked.x.numpy(), attacked.labels.numpy())


def autoattack(attacked, name, queries=1):
    """One of its four attacks."""
    library = pytest.importorskip("pyautoattack", reason=ABSENT)
    attack = library.AutoAttack(
        attacked.module, norm="Linf", eps=RADIUS, version="custom", attacks=[name], seed=0
    )
    attack.apgd.n_restarts, attack.square.n_queries = 1, queries
    return attack.run_standard_evaluation(attacked.x, attacked.labels)[0]


def by_autoattack(attacked):
    return autoattack(attacked, "apgd-ce")


@pytest.mark.parametrize("points", [by_foolbox, by_torchattacks, by_art, by_autoattack])
def test_gradient_attacks_of_others_find_what_ours_finds(attacked, points):
    """At least what a single step finds, and at most 2 points more than fifty steps from ten starts."""
    found = attacked.broken_by(points(attacked))
    assert 0 < attacked.by_fgsm <= found <= attacked.by_pgd + 0.02


def test_an_attack_without_gradients_finds_less(attacked):
    """So gradients are right, and hide nothing."""
    found = attacked.broken_by(autoattack(attacked, "square", queries=500))
    assert 0 < found < attacked.by_pgd
