"""Messages of `inference.proto`. Made by scripts/stubs.py: do not edit."""

# ruff: noqa
# fmt: off

from google.protobuf import descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()  # our own: other clients bring the same names
_FILE = _POOL.AddSerializedFile(
    b'\n\x0fmodelyard.proto\x12\tinference"\x13\n\x11ServerLiveRequest"(\n\x12Ser'
    b'verLiveResponse\x12\x12\n\x04live\x18\x01 \x01(\x08R\x04live"\x14\n\x12ServerReadyReques'
    b't"+\n\x13ServerReadyResponse\x12\x14\n\x05ready\x18\x01 \x01(\x08R\x05ready"A\n\x11ModelR'
    b'eadyRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07versio'
    b'n"*\n\x12ModelReadyResponse\x12\x14\n\x05ready\x18\x01 \x01(\x08R\x05ready"\x17\n\x15ServerM'
    b'etadataRequest"f\n\x16ServerMetadataResponse\x12\x12\n\x04name\x18\x01 \x01(\tR\x04'
    b'name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version\x12\x1e\n\nextensions\x18\x03 \x03(\tR\nexte'
    b'nsions"D\n\x14ModelMetadataRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07ve'
    b'rsion\x18\x02 \x01(\tR\x07version"\xe0\x03\n\x15ModelMetadataResponse\x12\x12\n\x04name\x18\x01'
    b' \x01(\tR\x04name\x12\x1a\n\x08versions\x18\x02 \x03(\tR\x08versions\x12\x1a\n\x08platform\x18\x03 \x01(\t'
    b'R\x08platform\x12G\n\x06inputs\x18\x04 \x03(\x0b2/.inference.ModelMetadataResp'
    b'onse.TensorMetadataR\x06inputs\x12I\n\x07outputs\x18\x05 \x03(\x0b2/.inference'
    b'.ModelMetadataResponse.TensorMetadataR\x07outputs\x12P\n\nproper'
    b'ties\x18\x06 \x03(\x0b20.inference.ModelMetadataResponse.PropertiesE'
    b'ntryR\nproperties\x1aV\n\x0eTensorMetadata\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x1a'
    b'\n\x08datatype\x18\x02 \x01(\tR\x08datatype\x12\x14\n\x05shape\x18\x03 \x03(\x03R\x05shape\x1a=\n\x0fProp'
    b'ertiesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value:\x028\x01"'
    b'\xd7\x01\n\x0eInferParameter\x12\x1f\n\nbool_param\x18\x01 \x01(\x08H\x00R\tboolParam\x12!\n\x0bi'
    b'nt64_param\x18\x02 \x01(\x03H\x00R\nint64Param\x12#\n\x0cstring_param\x18\x03 \x01(\tH\x00R\x0b'
    b'stringParam\x12#\n\x0cdouble_param\x18\x04 \x01(\x01H\x00R\x0bdoubleParam\x12#\n\x0cuint'
    b'64_param\x18\x05 \x01(\x04H\x00R\x0buint64ParamB\x12\n\x10parameter_choice"\xc3\x02\n\x13In'
    b'ferTensorContents\x12#\n\rbool_contents\x18\x01 \x03(\x08R\x0cboolContents\x12!'
    b'\n\x0cint_contents\x18\x02 \x03(\x05R\x0bintContents\x12%\n\x0eint64_contents\x18\x03 \x03('
    b"\x03R\rint64Contents\x12#\n\ruint_contents\x18\x04 \x03(\rR\x0cuintContents\x12'\n"
    b'\x0fuint64_contents\x18\x05 \x03(\x04R\x0euint64Contents\x12#\n\rfp32_contents\x18'
    b'\x06 \x03(\x02R\x0cfp32Contents\x12#\n\rfp64_contents\x18\x07 \x03(\x01R\x0cfp64Contents'
    b'\x12%\n\x0ebytes_contents\x18\x08 \x03(\x0cR\rbytesContents"\x9d\x08\n\x11ModelInferRe'
    b'quest\x12\x1d\n\nmodel_name\x18\x01 \x01(\tR\tmodelName\x12#\n\rmodel_version\x18\x02 '
    b'\x01(\tR\x0cmodelVersion\x12\x0e\n\x02id\x18\x03 \x01(\tR\x02id\x12L\n\nparameters\x18\x04 \x03(\x0b2,.'
    b'inference.ModelInferRequest.ParametersEntryR\nparameters\x12'
    b'E\n\x06inputs\x18\x05 \x03(\x0b2-.inference.ModelInferRequest.InferInput'
    b'TensorR\x06inputs\x12Q\n\x07outputs\x18\x06 \x03(\x0b27.inference.ModelInferRe'
    b'quest.InferRequestedOutputTensorR\x07outputs\x12,\n\x12raw_input_c'
    b'ontents\x18\x07 \x03(\x0cR\x10rawInputContents\x1a\xcd\x02\n\x10InferInputTensor\x12\x12\n\x04'
    b'name\x18\x01 \x01(\tR\x04name\x12\x1a\n\x08datatype\x18\x02 \x01(\tR\x08datatype\x12\x14\n\x05shape\x18\x03 '
    b'\x03(\x03R\x05shape\x12]\n\nparameters\x18\x04 \x03(\x0b2=.inference.ModelInferReq'
    b'uest.InferInputTensor.ParametersEntryR\nparameters\x12:\n\x08con'
    b'tents\x18\x05 \x01(\x0b2\x1e.inference.InferTensorContentsR\x08contents\x1aX\n'
    b'\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.infe'
    b'rence.InferParameterR\x05value:\x028\x01\x1a\xf3\x01\n\x1aInferRequestedOutput'
    b'Tensor\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12g\n\nparameters\x18\x02 \x03(\x0b2G.inferen'
    b'ce.ModelInferRequest.InferRequestedOutputTensor.Paramete'
    b'rsEntryR\nparameters\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key'
    b'\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameterR\x05value:\x028\x01\x1aX\n'
    b'\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.infe'
    b'rence.InferParameterR\x05value:\x028\x01"\xdf\x05\n\x12ModelInferResponse\x12\x1d'
    b'\n\nmodel_name\x18\x01 \x01(\tR\tmodelName\x12#\n\rmodel_version\x18\x02 \x01(\tR\x0cmo'
    b'delVersion\x12\x0e\n\x02id\x18\x03 \x01(\tR\x02id\x12M\n\nparameters\x18\x04 \x03(\x0b2-.inferen'
    b'ce.ModelInferResponse.ParametersEntryR\nparameters\x12I\n\x07out'
    b'puts\x18\x05 \x03(\x0b2/.inference.ModelInferResponse.InferOutputTen'
    b'sorR\x07outputs\x12.\n\x13raw_output_contents\x18\x06 \x03(\x0cR\x11rawOutputCont'
    b'ents\x1a\xd0\x02\n\x11InferOutputTensor\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x1a\n\x08dataty'
    b'pe\x18\x02 \x01(\tR\x08datatype\x12\x14\n\x05shape\x18\x03 \x03(\x03R\x05shape\x12_\n\nparameters\x18\x04'
    b' \x03(\x0b2?.inference.ModelInferResponse.InferOutputTensor.Pa'
    b'rametersEntryR\nparameters\x12:\n\x08contents\x18\x05 \x01(\x0b2\x1e.inference.'
    b'InferTensorContentsR\x08contents\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18'
    b'\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameterR\x05va'
    b'lue:\x028\x01\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 '
    b'\x01(\x0b2\x19.inference.InferParameterR\x05value:\x028\x01"\x85\x01\n\x18ModelStrea'
    b'mInferResponse\x12#\n\rerror_message\x18\x01 \x01(\tR\x0cerrorMessage\x12D\n\x0ei'
    b'nfer_response\x18\x02 \x01(\x0b2\x1d.inference.ModelInferResponseR\rinfe'
    b'rResponse"\x82\x01\n\nModelInput\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x120\n\tdata_typ'
    b'e\x18\x02 \x01(\x0e2\x13.inference.DataTypeR\x08dataType\x12\x12\n\x04dims\x18\x04 \x03(\x03R\x04di'
    b'ms\x12\x1a\n\x08optional\x18\x08 \x01(\x08R\x08optional"g\n\x0bModelOutput\x12\x12\n\x04name\x18\x01 '
    b'\x01(\tR\x04name\x120\n\tdata_type\x18\x02 \x01(\x0e2\x13.inference.DataTypeR\x08dataT'
    b'ype\x12\x12\n\x04dims\x18\x03 \x03(\x03R\x04dims"\xda\x01\n\x0bModelConfig\x12\x12\n\x04name\x18\x01 \x01(\tR\x04n'
    b'ame\x12\x1a\n\x08platform\x18\x02 \x01(\tR\x08platform\x12$\n\x0emax_batch_size\x18\x04 \x01(\x05R'
    b'\x0cmaxBatchSize\x12+\n\x05input\x18\x05 \x03(\x0b2\x15.inference.ModelInputR\x05inp'
    b'ut\x12.\n\x06output\x18\x06 \x03(\x0b2\x16.inference.ModelOutputR\x06output\x12\x18\n\x07ba'
    b'ckend\x18\x11 \x01(\tR\x07backend"B\n\x12ModelConfigRequest\x12\x12\n\x04name\x18\x01 \x01(\t'
    b'R\x04name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version"E\n\x13ModelConfigResponse\x12'
    b'.\n\x06config\x18\x01 \x01(\x0b2\x16.inference.ModelConfigR\x06config"F\n\x16Model'
    b'StatisticsRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07'
    b'version"9\n\x11StatisticDuration\x12\x14\n\x05count\x18\x01 \x01(\x04R\x05count\x12\x0e\n\x02ns'
    b'\x18\x02 \x01(\x04R\x02ns"\xf2\x03\n\x0fInferStatistics\x126\n\x07success\x18\x01 \x01(\x0b2\x1c.infere'
    b'nce.StatisticDurationR\x07success\x120\n\x04fail\x18\x02 \x01(\x0b2\x1c.inference'
    b'.StatisticDurationR\x04fail\x122\n\x05queue\x18\x03 \x01(\x0b2\x1c.inference.Stat'
    b'isticDurationR\x05queue\x12A\n\rcompute_input\x18\x04 \x01(\x0b2\x1c.inference.'
    b'StatisticDurationR\x0ccomputeInput\x12A\n\rcompute_infer\x18\x05 \x01(\x0b2\x1c'
    b'.inference.StatisticDurationR\x0ccomputeInfer\x12C\n\x0ecompute_ou'
    b'tput\x18\x06 \x01(\x0b2\x1c.inference.StatisticDurationR\rcomputeOutput\x12'
    b'9\n\tcache_hit\x18\x07 \x01(\x0b2\x1c.inference.StatisticDurationR\x08cacheH'
    b'it\x12;\n\ncache_miss\x18\x08 \x01(\x0b2\x1c.inference.StatisticDurationR\tca'
    b'cheMiss"\x80\x02\n\x14InferBatchStatistics\x12\x1d\n\nbatch_size\x18\x01 \x01(\x04R\tba'
    b'tchSize\x12A\n\rcompute_input\x18\x02 \x01(\x0b2\x1c.inference.StatisticDura'
    b'tionR\x0ccomputeInput\x12A\n\rcompute_infer\x18\x03 \x01(\x0b2\x1c.inference.St'
    b'atisticDurationR\x0ccomputeInfer\x12C\n\x0ecompute_output\x18\x04 \x01(\x0b2\x1c.'
    b'inference.StatisticDurationR\rcomputeOutput"N\n\x0bMemoryUsag'
    b'e\x12\x12\n\x04type\x18\x01 \x01(\tR\x04type\x12\x0e\n\x02id\x18\x02 \x01(\x03R\x02id\x12\x1b\n\tbyte_size\x18\x03 \x01(\x04'
    b'R\x08byteSize"\xfa\x02\n\x0fModelStatistics\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07ve'
    b'rsion\x18\x02 \x01(\tR\x07version\x12%\n\x0elast_inference\x18\x03 \x01(\x04R\rlastInfere'
    b"nce\x12'\n\x0finference_count\x18\x04 \x01(\x04R\x0einferenceCount\x12'\n\x0fexecutio"
    b'n_count\x18\x05 \x01(\x04R\x0eexecutionCount\x12C\n\x0finference_stats\x18\x06 \x01(\x0b2\x1a'
    b'.inference.InferStatisticsR\x0einferenceStats\x12@\n\x0bbatch_stat'
    b's\x18\x07 \x03(\x0b2\x1f.inference.InferBatchStatisticsR\nbatchStats\x129\n\x0c'
    b'memory_usage\x18\x08 \x03(\x0b2\x16.inference.MemoryUsageR\x0bmemoryUsage"'
    b'V\n\x17ModelStatisticsResponse\x12;\n\x0bmodel_stats\x18\x01 \x03(\x0b2\x1a.infere'
    b'nce.ModelStatisticsR\nmodelStats"\xba\x01\n\x18ModelRepositoryParam'
    b'eter\x12\x1f\n\nbool_param\x18\x01 \x01(\x08H\x00R\tboolParam\x12!\n\x0bint64_param\x18\x02 \x01'
    b'(\x03H\x00R\nint64Param\x12#\n\x0cstring_param\x18\x03 \x01(\tH\x00R\x0bstringParam\x12!\n'
    b'\x0bbytes_param\x18\x04 \x01(\x0cH\x00R\nbytesParamB\x12\n\x10parameter_choice"W\n\x16'
    b"RepositoryIndexRequest\x12'\n\x0frepository_name\x18\x01 \x01(\tR\x0ereposit"
    b'oryName\x12\x14\n\x05ready\x18\x02 \x01(\x08R\x05ready"\xca\x01\n\x17RepositoryIndexRespons'
    b'e\x12E\n\x06models\x18\x01 \x03(\x0b2-.inference.RepositoryIndexResponse.Mo'
    b'delIndexR\x06models\x1ah\n\nModelIndex\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07ve'
    b'rsion\x18\x02 \x01(\tR\x07version\x12\x14\n\x05state\x18\x03 \x01(\tR\x05state\x12\x16\n\x06reason\x18\x04 \x01'
    b'(\tR\x06reason"\x9f\x02\n\x1aRepositoryModelLoadRequest\x12\'\n\x0frepository_'
    b'name\x18\x01 \x01(\tR\x0erepositoryName\x12\x1d\n\nmodel_name\x18\x02 \x01(\tR\tmodelNam'
    b'e\x12U\n\nparameters\x18\x03 \x03(\x0b25.inference.RepositoryModelLoadReq'
    b'uest.ParametersEntryR\nparameters\x1ab\n\x0fParametersEntry\x12\x10\n\x03k'
    b'ey\x18\x01 \x01(\tR\x03key\x129\n\x05value\x18\x02 \x01(\x0b2#.inference.ModelRepository'
    b'ParameterR\x05value:\x028\x01"\x1d\n\x1bRepositoryModelLoadResponse"\xa3\x02\n\x1c'
    b"RepositoryModelUnloadRequest\x12'\n\x0frepository_name\x18\x01 \x01(\tR\x0er"
    b'epositoryName\x12\x1d\n\nmodel_name\x18\x02 \x01(\tR\tmodelName\x12W\n\nparamete'
    b'rs\x18\x03 \x03(\x0b27.inference.RepositoryModelUnloadRequest.Parame'
    b'tersEntryR\nparameters\x1ab\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03k'
    b'ey\x129\n\x05value\x18\x02 \x01(\x0b2#.inference.ModelRepositoryParameterR\x05'
    b'value:\x028\x01"\x1f\n\x1dRepositoryModelUnloadResponse*\xfa\x01\n\x08DataType\x12'
    b'\x10\n\x0cTYPE_INVALID\x10\x00\x12\r\n\tTYPE_BOOL\x10\x01\x12\x0e\n\nTYPE_UINT8\x10\x02\x12\x0f\n\x0bTYPE'
    b'_UINT16\x10\x03\x12\x0f\n\x0bTYPE_UINT32\x10\x04\x12\x0f\n\x0bTYPE_UINT64\x10\x05\x12\r\n\tTYPE_INT8'
    b'\x10\x06\x12\x0e\n\nTYPE_INT16\x10\x07\x12\x0e\n\nTYPE_INT32\x10\x08\x12\x0e\n\nTYPE_INT64\x10\t\x12\r\n\tTY'
    b'PE_FP16\x10\n\x12\r\n\tTYPE_FP32\x10\x0b\x12\r\n\tTYPE_FP64\x10\x0c\x12\x0f\n\x0bTYPE_STRING\x10\r'
    b'\x12\r\n\tTYPE_BF16\x10\x0e2\xb7\x08\n\x14GRPCInferenceService\x12K\n\nServerLive\x12\x1c'
    b'.inference.ServerLiveRequest\x1a\x1d.inference.ServerLiveRespo'
    b'nse"\x00\x12N\n\x0bServerReady\x12\x1d.inference.ServerReadyRequest\x1a\x1e.in'
    b'ference.ServerReadyResponse"\x00\x12K\n\nModelReady\x12\x1c.inference.'
    b'ModelReadyRequest\x1a\x1d.inference.ModelReadyResponse"\x00\x12W\n\x0eSe'
    b'rverMetadata\x12 .inference.ServerMetadataRequest\x1a!.inferen'
    b'ce.ServerMetadataResponse"\x00\x12T\n\rModelMetadata\x12\x1f.inference'
    b'.ModelMetadataRequest\x1a .inference.ModelMetadataResponse"'
    b'\x00\x12K\n\nModelInfer\x12\x1c.inference.ModelInferRequest\x1a\x1d.inferenc'
    b'e.ModelInferResponse"\x00\x12[\n\x10ModelStreamInfer\x12\x1c.inference.M'
    b'odelInferRequest\x1a#.inference.ModelStreamInferResponse"\x00('
    b'\x010\x01\x12N\n\x0bModelConfig\x12\x1d.inference.ModelConfigRequest\x1a\x1e.infe'
    b'rence.ModelConfigResponse"\x00\x12Z\n\x0fModelStatistics\x12!.inferen'
    b'ce.ModelStatisticsRequest\x1a".inference.ModelStatisticsRes'
    b'ponse"\x00\x12Z\n\x0fRepositoryIndex\x12!.inference.RepositoryIndexRe'
    b'quest\x1a".inference.RepositoryIndexResponse"\x00\x12f\n\x13Repositor'
    b'yModelLoad\x12%.inference.RepositoryModelLoadRequest\x1a&.infe'
    b'rence.RepositoryModelLoadResponse"\x00\x12l\n\x15RepositoryModelUn'
    b"load\x12'.inference.RepositoryModelUnloadRequest\x1a(.inferenc"
    b'e.RepositoryModelUnloadResponse"\x00b\x06proto3'
)
SERVICE = _FILE.services_by_name["GRPCInferenceService"]

ServerLiveRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerLiveRequest"])
ServerLiveResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerLiveResponse"])
ServerReadyRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerReadyRequest"])
ServerReadyResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerReadyResponse"])
ModelReadyRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelReadyRequest"])
ModelReadyResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelReadyResponse"])
ServerMetadataRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerMetadataRequest"])
ServerMetadataResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ServerMetadataResponse"])
ModelMetadataRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelMetadataRequest"])
ModelMetadataResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelMetadataResponse"])
InferParameter = message_factory.GetMessageClass(_FILE.message_types_by_name["InferParameter"])
InferTensorContents = message_factory.GetMessageClass(_FILE.message_types_by_name["InferTensorContents"])
ModelInferRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelInferRequest"])
ModelInferResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelInferResponse"])
ModelStreamInferResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelStreamInferResponse"])
ModelInput = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelInput"])
ModelOutput = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelOutput"])
ModelConfig = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelConfig"])
ModelConfigRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelConfigRequest"])
ModelConfigResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelConfigResponse"])
ModelStatisticsRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelStatisticsRequest"])
StatisticDuration = message_factory.GetMessageClass(_FILE.message_types_by_name["StatisticDuration"])
InferStatistics = message_factory.GetMessageClass(_FILE.message_types_by_name["InferStatistics"])
InferBatchStatistics = message_factory.GetMessageClass(_FILE.message_types_by_name["InferBatchStatistics"])
MemoryUsage = message_factory.GetMessageClass(_FILE.message_types_by_name["MemoryUsage"])
ModelStatistics = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelStatistics"])
ModelStatisticsResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelStatisticsResponse"])
ModelRepositoryParameter = message_factory.GetMessageClass(_FILE.message_types_by_name["ModelRepositoryParameter"])
RepositoryIndexRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryIndexRequest"])
RepositoryIndexResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryIndexResponse"])
RepositoryModelLoadRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryModelLoadRequest"])
RepositoryModelLoadResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryModelLoadResponse"])
RepositoryModelUnloadRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryModelUnloadRequest"])
RepositoryModelUnloadResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["RepositoryModelUnloadResponse"])
