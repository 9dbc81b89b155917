"""The door for stand-ins: a provider's own side in memory, for demonstrations and tests without a network."""

from .codes import StandInCodes as StandInCodes
from .protocol import SampleDelivery as SampleDelivery
from .protocol import StandIn as StandIn
from .protocol import StandInFactory as StandInFactory
from .protocol import StandInRegistration as StandInRegistration
from .protocol import StandInWebhook as StandInWebhook
from .protocol import SubscribedStandIn as SubscribedStandIn
from .protocol import stand_ins as stand_ins
from .web import StandInAnswer as StandInAnswer
from .web import StandInRequest as StandInRequest
from .web import StandInResponse as StandInResponse
from .web import StandInWeb as StandInWeb
from .web import page_of as page_of
