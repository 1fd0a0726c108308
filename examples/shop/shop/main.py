"""The product's application: `uvicorn shop.main:app`."""

from portico.app import create_app, default_features
from portico.core.settings import Settings
from shop.feature import shop_feature

app = create_app(Settings(), features=[*default_features(), shop_feature()])
