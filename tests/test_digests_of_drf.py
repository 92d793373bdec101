"""The functions of DRF's whose bodies restflow mirrors or knows: a release that changes one has to be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.functional import cached_property

import restflow.authentication
import restflow.filters
import restflow.pagination
import restflow.serializers
import restflow.throttling
import restflow.views  # noqa: F401  # with the modules above, all that is known of DRF
from restflow.flow.natures import functions_with_facts
from tests.entry.test_digests import digest_of, found

# By function, the digest of its source, the same in DRF 3.18.2 and 3.18.3. First what our flows do in place of these.
MIRRORED = {
    "rest_framework.views.APIView.as_view": "caee5be9d39d",
    "rest_framework.views.APIView.dispatch": "5838118f853e",
    "rest_framework.views.APIView.initialize_request": "40e6b3a27966",
    "rest_framework.views.APIView.initial": "2c7ab9e376da",
    "rest_framework.views.APIView.perform_content_negotiation": "45c5cb7f3dc4",
    "rest_framework.views.APIView.determine_version": "51c8ff5b0824",
    "rest_framework.views.APIView.perform_authentication": "b13a7aead121",
    "rest_framework.views.APIView.check_permissions": "9bf840d81a78",
    "rest_framework.views.APIView.check_object_permissions": "a9a730b619f3",
    "rest_framework.views.APIView.check_throttles": "7c0af0324966",
    "rest_framework.views.APIView.get_authenticate_header": "f665dfa64c46",
    "rest_framework.views.APIView.handle_exception": "b4338a9d0a7a",
    "rest_framework.views.APIView.finalize_response": "5dc643688772",
    "rest_framework.views.APIView.options": "bc2dd14a820a",
    "rest_framework.generics.GenericAPIView.get_queryset": "2fa9700049ef",
    "rest_framework.generics.GenericAPIView.get_object": "c1ed773440fa",
    "rest_framework.generics.GenericAPIView.filter_queryset": "7fa674f1db7f",
    "rest_framework.generics.GenericAPIView.paginate_queryset": "367f3eb55e3b",
    "rest_framework.generics.GenericAPIView.get_paginated_response": "035f08705276",
    "rest_framework.generics.GenericAPIView.get_serializer": "367c6a5fc489",
    "rest_framework.generics.GenericAPIView.get_serializer_class": "98cdd8b13f02",
    "rest_framework.generics.get_object_or_404": "1cd26930c50c",
    "rest_framework.viewsets.ViewSetMixin.as_view": "f90f71136a7a",
    "rest_framework.viewsets.ViewSetMixin.initialize_request": "0f91b05367f6",
    "rest_framework.request.Request._authenticate": "6c71a7f09bc2",
    "rest_framework.request.Request._not_authenticated": "415cb2030347",
    "rest_framework.request.Request._load_data_and_files": "f8f62bcea2f2",
    "rest_framework.request.Request._parse": "83f437e869d8",
    "rest_framework.request.Request.__init__": "92122cc201d8",
    "rest_framework.negotiation.DefaultContentNegotiation.get_accept_list": "c5d6ef880259",
    "rest_framework.negotiation.DefaultContentNegotiation._get_parsed_accept_list": "ef38ba09913c",
    "rest_framework.throttling.SimpleRateThrottle.__init__": "8b349ea43f21",
    "rest_framework.throttling.SimpleRateThrottle.get_rate": "85494bed811c",
    "rest_framework.throttling.SimpleRateThrottle.parse_rate": "d1077d8008ec",
    "rest_framework.throttling.ScopedRateThrottle.__init__": "f19b34f7f5d4",
    "rest_framework.response.Response.rendered_content": "f837235dae75",
    "rest_framework.renderers.JSONRenderer.get_indent": "59c098664f42",
    "rest_framework.permissions.OperandHolder.__call__": "4992e875e326",
    "rest_framework.permissions.SingleOperandHolder.__call__": "9e5df8449181",
}
# What our serializers and their fields do in place of these.
AWAITED = {
    "rest_framework.serializers.Serializer.run_validation": "1aad4243446a",
    "rest_framework.serializers.ListSerializer.run_validation": "1aad4243446a",
    "rest_framework.serializers.Serializer.to_internal_value": "4ccc0e024b3e",
    "rest_framework.serializers.Serializer._read_only_defaults": "2384b931bdfe",
    "rest_framework.serializers.Serializer.get_initial": "85f565c1ad95",
    "rest_framework.serializers.BaseSerializer.save": "65e296e9fc9a",
    "rest_framework.serializers.ListSerializer.save": "c87633aac916",
    "rest_framework.serializers.ListSerializer.run_child_validation": "11903b8af11f",
    "rest_framework.fields.Field.run_validators": "fc19a07474e0",
    "rest_framework.fields.Field.get_default": "1b20b11230e8",
    "rest_framework.fields.Field.get_initial": "8a5645b8f8b3",
}
# What is done by generated lines, and what fields are built by that are lent.
REPRESENTED = {
    "rest_framework.serializers.BaseSerializer.data": "3994ba7f5157",
    "rest_framework.serializers.Serializer.data": "56831ed26b27",
    "rest_framework.serializers.ListSerializer.data": "405e2b662e35",
    "rest_framework.serializers.Serializer.fields": "e832d4f5c4be",
    "rest_framework.serializers.Serializer._readable_fields": "1eaecbb3bb21",
    "rest_framework.serializers.Serializer.to_representation": "47ecd646b4b6",
    "rest_framework.serializers.ListSerializer.to_representation": "6852e896fdcc",
    "rest_framework.serializers.ModelSerializer.get_fields": "9225364c3941",
    "rest_framework.serializers.ModelSerializer.build_standard_field": "2518eb9466cf",
    "rest_framework.utils.field_mapping.get_field_kwargs": "fae51d9346df",
    "rest_framework.utils.field_mapping.get_unique_validators": "828463c6620b",
    "rest_framework.validators.UniqueValidator.__call__": "a68bf1ed0837",
    "rest_framework.fields.get_attribute": "317c25d7087e",
    "rest_framework.fields.is_simple_callable": "c2794894f731",
    "rest_framework.fields.Field.bind": "cb481c6cf5f7",
    "rest_framework.fields.Field.get_attribute": "a03396a826d9",
    "rest_framework.fields.BooleanField.to_representation": "390604fc5536",
    "rest_framework.fields.CharField.to_representation": "2b5ef50a53ed",
    "rest_framework.fields.UUIDField.to_representation": "379d722f096c",
    "rest_framework.fields.IntegerField.to_representation": "331ca9dbd4af",
    "rest_framework.fields.BigIntegerField.to_representation": "d11e22bb66f9",
    "rest_framework.fields.FloatField.to_representation": "8b1d7d5563e4",
    "rest_framework.fields.DecimalField.to_representation": "1d0b04e60d3e",
    "rest_framework.fields.DateTimeField.to_representation": "b125ea6f778d",
    "rest_framework.fields.DateField.to_representation": "71b976804140",
    "rest_framework.fields.TimeField.to_representation": "3cd27c822774",
    "rest_framework.fields.ChoiceField.to_representation": "d13234636d89",
    "rest_framework.fields.JSONField.to_representation": "43924a35da05",
    "rest_framework.fields.ReadOnlyField.to_representation": "ddd4e9c06102",
    "rest_framework.fields.SerializerMethodField.to_representation": "68c8d5889283",
    "rest_framework.fields.DecimalField.quantize": "bddc46a43895",
    "rest_framework.fields.DateTimeField.enforce_timezone": "8d0f412934ad",
    "rest_framework.fields.DateTimeField.default_timezone": "722fffc5b3f8",
    "rest_framework.fields.ChoiceField._set_choices": "3f77f3d629aa",
    "rest_framework.relations.RelatedField.get_attribute": "31c4c65130f1",
    "rest_framework.relations.ManyRelatedField.get_attribute": "f6c1a16342d6",
    "rest_framework.relations.ManyRelatedField.to_representation": "e9c6e4b9b733",
    "rest_framework.relations.PrimaryKeyRelatedField.to_representation": "e3a7a0f07eb2",
    "rest_framework.relations.PrimaryKeyRelatedField.use_pk_only_optimization": "3c05992c05c8",
    "rest_framework.relations.SlugRelatedField.to_representation": "90284612dabb",
    "rest_framework.relations.StringRelatedField.to_representation": "2b5ef50a53ed",
}
# And what is marked as never blocking, at all or at times, or has a flow in its place.
KNOWN = {
    "rest_framework.authentication.BaseAuthentication.authenticate_header": "2c373c080c02",
    "rest_framework.authentication.BasicAuthentication.authenticate": "8a94460960c2",
    "rest_framework.authentication.BasicAuthentication.authenticate_header": "7cc7779b601b",
    "rest_framework.authentication.SessionAuthentication.authenticate": "9dcf1c3536e4",
    "rest_framework.authentication.TokenAuthentication.authenticate": "bc34a5d4867c",
    "rest_framework.authentication.TokenAuthentication.authenticate_header": "c0c75f7a06c3",
    "rest_framework.generics.GenericAPIView.get_serializer_context": "8d669f001b44",
    "rest_framework.mixins.CreateModelMixin.create": "c09d90c3e93d",
    "rest_framework.mixins.CreateModelMixin.perform_create": "0a8e6eadd761",
    "rest_framework.mixins.DestroyModelMixin.destroy": "104e8e22f9aa",
    "rest_framework.mixins.DestroyModelMixin.perform_destroy": "1aa4b3743b3d",
    "rest_framework.mixins.ListModelMixin.list": "87cce801981e",
    "rest_framework.mixins.RetrieveModelMixin.retrieve": "b438982496c4",
    "rest_framework.mixins.UpdateModelMixin.partial_update": "5e2406dd32d1",
    "rest_framework.mixins.UpdateModelMixin.perform_update": "71f9d911eb8e",
    "rest_framework.mixins.UpdateModelMixin.update": "fd77a30ab9c2",
    "rest_framework.negotiation.DefaultContentNegotiation.select_parser": "fee689b11167",
    "rest_framework.negotiation.DefaultContentNegotiation.select_renderer": "9b0950b75200",
    "rest_framework.permissions.AND.has_object_permission": "62f66ab03fd8",
    "rest_framework.permissions.AND.has_permission": "f661fd092340",
    "rest_framework.permissions.AllowAny.has_permission": "28bac559fb6d",
    "rest_framework.permissions.BasePermission.has_object_permission": "183ca74a57ea",
    "rest_framework.permissions.BasePermission.has_permission": "3748a0993014",
    "rest_framework.permissions.IsAdminUser.has_permission": "66db81a165f1",
    "rest_framework.permissions.IsAuthenticated.has_permission": "31b4acc991d7",
    "rest_framework.permissions.IsAuthenticatedOrReadOnly.has_permission": "c3f035dd9707",
    "rest_framework.permissions.NOT.has_object_permission": "bd46975c3685",
    "rest_framework.permissions.NOT.has_permission": "9e210ec099e6",
    "rest_framework.permissions.OR.has_object_permission": "eac036749a61",
    "rest_framework.permissions.OR.has_permission": "a324a0ea0849",
    "rest_framework.renderers.JSONRenderer.render": "fcfd3fa5f34c",
    "rest_framework.request.ForcedAuthentication.authenticate": "d5696b3ecdb8",
    "rest_framework.request.Request._authenticate": "6c71a7f09bc2",
    "rest_framework.versioning.AcceptHeaderVersioning.determine_version": "349bffe38a7c",
    "rest_framework.versioning.HostNameVersioning.determine_version": "98ef7a374a04",
    "rest_framework.versioning.NamespaceVersioning.determine_version": "1207e18c5e63",
    "rest_framework.versioning.QueryParameterVersioning.determine_version": "d43aeeca97cd",
    "rest_framework.versioning.URLPathVersioning.determine_version": "3bd05fb2b710",
    "rest_framework.views.APIView.allowed_methods": "a330eb312546",
    "rest_framework.views.APIView.default_response_headers": "798986ab36a6",
    "rest_framework.views.APIView.get_authenticators": "2e25fe2c6f17",
    "rest_framework.views.APIView.get_content_negotiator": "04d39b1db2a3",
    "rest_framework.views.APIView.get_exception_handler": "0684564f0685",
    "rest_framework.views.APIView.get_exception_handler_context": "95d3502ba474",
    "rest_framework.views.APIView.get_format_suffix": "b7ff0c2f68ce",
    "rest_framework.views.APIView.get_parser_context": "4489dddd66c3",
    "rest_framework.views.APIView.get_parsers": "8b9e3e9400dd",
    "rest_framework.views.APIView.get_permissions": "837956ea8d2c",
    "rest_framework.views.APIView.get_renderer_context": "882dcd09276f",
    "rest_framework.views.APIView.get_renderers": "73300e158852",
    "rest_framework.views.APIView.get_throttles": "7ffe67740a7b",
    "rest_framework.views.APIView.http_method_not_allowed": "2c92a543fe79",
    "rest_framework.views.APIView.permission_denied": "1c9ce93880da",
    "rest_framework.views.APIView.raise_uncaught_exception": "b3cf16543c30",
    "rest_framework.views.APIView.throttled": "c5d20d898d55",
    "rest_framework.views.exception_handler": "9a8bc1986ccc",
}


def code_of(function: Any) -> Any:
    if isinstance(function, cached_property):
        return function.func
    return function.fget if isinstance(function, property) else function


@pytest.mark.parametrize(("name", "read"), [*MIRRORED.items(), *AWAITED.items(), *REPRESENTED.items(), *KNOWN.items()])
def test_a_function_of_drfs_is_as_it_was_read(name: str, read: str) -> None:
    digest = digest_of(code_of(found(name)))
    assert digest == read, (
        f"{name} is not as it was read. Read it again, change what relies on it, and enter {digest!r}."
    )


def test_all_functions_of_drfs_that_are_known_are_here() -> None:
    known = [each for each in functions_with_facts() if each.__globals__["__name__"].startswith("rest_framework.")]
    assert {f"{each.__module__}.{each.__qualname__}" for each in known} == KNOWN.keys()
