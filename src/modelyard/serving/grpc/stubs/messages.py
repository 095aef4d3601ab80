"""Messages of `inference.proto`. Made by scripts/stubs.py: do not edit."""

# ruff: noqa
# fmt: off

from google.protobuf import descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()  # our own: other clients bring the same names
_FILE = _POOL.AddSerializedFile(
    b'\n\x19modelyard_inference.proto\x12\tinference"\x13\n\x11ServerLiveRequ'
    b'est"(\n\x12ServerLiveResponse\x12\x12\n\x04live\x18\x01 \x01(\x08R\x04live"\x14\n\x12ServerR'
    b'eadyRequest"+\n\x13ServerReadyResponse\x12\x14\n\x05ready\x18\x01 \x01(\x08R\x05ready'
    b'"A\n\x11ModelReadyRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07version\x18\x02 \x01'
    b'(\tR\x07version"*\n\x12ModelReadyResponse\x12\x14\n\x05ready\x18\x01 \x01(\x08R\x05ready"'
    b'\x17\n\x15ServerMetadataRequest"f\n\x16ServerMetadataResponse\x12\x12\n\x04na'
    b'me\x18\x01 \x01(\tR\x04name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version\x12\x1e\n\nextensions\x18\x03'
    b' \x03(\tR\nextensions"D\n\x14ModelMetadataRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04'
    b'name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version"\xe0\x03\n\x15ModelMetadataResponse'
    b'\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x1a\n\x08versions\x18\x02 \x03(\tR\x08versions\x12\x1a\n\x08plat'
    b'form\x18\x03 \x01(\tR\x08platform\x12G\n\x06inputs\x18\x04 \x03(\x0b2/.inference.ModelMe'
    b'tadataResponse.TensorMetadataR\x06inputs\x12I\n\x07outputs\x18\x05 \x03(\x0b2/'
    b'.inference.ModelMetadataResponse.TensorMetadataR\x07outputs'
    b'\x12P\n\nproperties\x18\x06 \x03(\x0b20.inference.ModelMetadataResponse.P'
    b'ropertiesEntryR\nproperties\x1aV\n\x0eTensorMetadata\x12\x12\n\x04name\x18\x01 \x01'
    b'(\tR\x04name\x12\x1a\n\x08datatype\x18\x02 \x01(\tR\x08datatype\x12\x14\n\x05shape\x18\x03 \x03(\x03R\x05sha'
    b'pe\x1a=\n\x0fPropertiesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05'
    b'value:\x028\x01"\xd7\x01\n\x0eInferParameter\x12\x1f\n\nbool_param\x18\x01 \x01(\x08H\x00R\tbool'
    b'Param\x12!\n\x0bint64_param\x18\x02 \x01(\x03H\x00R\nint64Param\x12#\n\x0cstring_param'
    b'\x18\x03 \x01(\tH\x00R\x0bstringParam\x12#\n\x0cdouble_param\x18\x04 \x01(\x01H\x00R\x0bdoublePar'
    b'am\x12#\n\x0cuint64_param\x18\x05 \x01(\x04H\x00R\x0buint64ParamB\x12\n\x10parameter_cho'
    b'ice"\xc3\x02\n\x13InferTensorContents\x12#\n\rbool_contents\x18\x01 \x03(\x08R\x0cbool'
    b'Contents\x12!\n\x0cint_contents\x18\x02 \x03(\x05R\x0bintContents\x12%\n\x0eint64_con'
    b'tents\x18\x03 \x03(\x03R\rint64Contents\x12#\n\ruint_contents\x18\x04 \x03(\rR\x0cuintC'
    b"ontents\x12'\n\x0fuint64_contents\x18\x05 \x03(\x04R\x0euint64Contents\x12#\n\rfp32"
    b'_contents\x18\x06 \x03(\x02R\x0cfp32Contents\x12#\n\rfp64_contents\x18\x07 \x03(\x01R\x0cfp'
    b'64Contents\x12%\n\x0ebytes_contents\x18\x08 \x03(\x0cR\rbytesContents"\x9d\x08\n\x11Mo'
    b'delInferRequest\x12\x1d\n\nmodel_name\x18\x01 \x01(\tR\tmodelName\x12#\n\rmodel_'
    b'version\x18\x02 \x01(\tR\x0cmodelVersion\x12\x0e\n\x02id\x18\x03 \x01(\tR\x02id\x12L\n\nparameter'
    b's\x18\x04 \x03(\x0b2,.inference.ModelInferRequest.ParametersEntryR\np'
    b'arameters\x12E\n\x06inputs\x18\x05 \x03(\x0b2-.inference.ModelInferRequest.'
    b'InferInputTensorR\x06inputs\x12Q\n\x07outputs\x18\x06 \x03(\x0b27.inference.Mo'
    b'delInferRequest.InferRequestedOutputTensorR\x07outputs\x12,\n\x12r'
    b'aw_input_contents\x18\x07 \x03(\x0cR\x10rawInputContents\x1a\xcd\x02\n\x10InferInput'
    b'Tensor\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x1a\n\x08datatype\x18\x02 \x01(\tR\x08datatype\x12\x14'
    b'\n\x05shape\x18\x03 \x03(\x03R\x05shape\x12]\n\nparameters\x18\x04 \x03(\x0b2=.inference.Mod'
    b'elInferRequest.InferInputTensor.ParametersEntryR\nparamet'
    b'ers\x12:\n\x08contents\x18\x05 \x01(\x0b2\x1e.inference.InferTensorContentsR\x08c'
    b'ontents\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 '
    b'\x01(\x0b2\x19.inference.InferParameterR\x05value:\x028\x01\x1a\xf3\x01\n\x1aInferReque'
    b'stedOutputTensor\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12g\n\nparameters\x18\x02 \x03(\x0b'
    b'2G.inference.ModelInferRequest.InferRequestedOutputTenso'
    b'r.ParametersEntryR\nparameters\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18'
    b'\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameterR\x05va'
    b'lue:\x028\x01\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 '
    b'\x01(\x0b2\x19.inference.InferParameterR\x05value:\x028\x01"\xdf\x05\n\x12ModelInfer'
    b'Response\x12\x1d\n\nmodel_name\x18\x01 \x01(\tR\tmodelName\x12#\n\rmodel_version'
    b'\x18\x02 \x01(\tR\x0cmodelVersion\x12\x0e\n\x02id\x18\x03 \x01(\tR\x02id\x12M\n\nparameters\x18\x04 \x03(\x0b'
    b'2-.inference.ModelInferResponse.ParametersEntryR\nparamet'
    b'ers\x12I\n\x07outputs\x18\x05 \x03(\x0b2/.inference.ModelInferResponse.Infe'
    b'rOutputTensorR\x07outputs\x12.\n\x13raw_output_contents\x18\x06 \x03(\x0cR\x11raw'
    b'OutputContents\x1a\xd0\x02\n\x11InferOutputTensor\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name'
    b'\x12\x1a\n\x08datatype\x18\x02 \x01(\tR\x08datatype\x12\x14\n\x05shape\x18\x03 \x03(\x03R\x05shape\x12_\n\npa'
    b'rameters\x18\x04 \x03(\x0b2?.inference.ModelInferResponse.InferOutpu'
    b'tTensor.ParametersEntryR\nparameters\x12:\n\x08contents\x18\x05 \x01(\x0b2\x1e.'
    b'inference.InferTensorContentsR\x08contents\x1aX\n\x0fParametersEnt'
    b'ry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferPar'
    b'ameterR\x05value:\x028\x01\x1aX\n\x0fParametersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12/'
    b'\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameterR\x05value:\x028\x01"\x85\x01\n\x18'
    b'ModelStreamInferResponse\x12#\n\rerror_message\x18\x01 \x01(\tR\x0cerrorMe'
    b'ssage\x12D\n\x0einfer_response\x18\x02 \x01(\x0b2\x1d.inference.ModelInferResp'
    b'onseR\rinferResponse"\x82\x01\n\nModelInput\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x120'
    b'\n\tdata_type\x18\x02 \x01(\x0e2\x13.inference.DataTypeR\x08dataType\x12\x12\n\x04dims'
    b'\x18\x04 \x03(\x03R\x04dims\x12\x1a\n\x08optional\x18\x08 \x01(\x08R\x08optional"g\n\x0bModelOutput\x12'
    b'\x12\n\x04name\x18\x01 \x01(\tR\x04name\x120\n\tdata_type\x18\x02 \x01(\x0e2\x13.inference.DataT'
    b'ypeR\x08dataType\x12\x12\n\x04dims\x18\x03 \x03(\x03R\x04dims"\xda\x01\n\x0bModelConfig\x12\x12\n\x04nam'
    b'e\x18\x01 \x01(\tR\x04name\x12\x1a\n\x08platform\x18\x02 \x01(\tR\x08platform\x12$\n\x0emax_batch_s'
    b'ize\x18\x04 \x01(\x05R\x0cmaxBatchSize\x12+\n\x05input\x18\x05 \x03(\x0b2\x15.inference.Model'
    b'InputR\x05input\x12.\n\x06output\x18\x06 \x03(\x0b2\x16.inference.ModelOutputR\x06ou'
    b'tput\x12\x18\n\x07backend\x18\x11 \x01(\tR\x07backend"B\n\x12ModelConfigRequest\x12\x12\n\x04'
    b'name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version"E\n\x13ModelConfi'
    b'gResponse\x12.\n\x06config\x18\x01 \x01(\x0b2\x16.inference.ModelConfigR\x06confi'
    b'g"F\n\x16ModelStatisticsRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x18\n\x07versi'
    b'on\x18\x02 \x01(\tR\x07version"9\n\x11StatisticDuration\x12\x14\n\x05count\x18\x01 \x01(\x04R\x05c'
    b'ount\x12\x0e\n\x02ns\x18\x02 \x01(\x04R\x02ns"\xf2\x03\n\x0fInferStatistics\x126\n\x07success\x18\x01 \x01('
    b'\x0b2\x1c.inference.StatisticDurationR\x07success\x120\n\x04fail\x18\x02 \x01(\x0b2\x1c'
    b'.inference.StatisticDurationR\x04fail\x122\n\x05queue\x18\x03 \x01(\x0b2\x1c.infe'
    b'rence.StatisticDurationR\x05queue\x12A\n\rcompute_input\x18\x04 \x01(\x0b2\x1c.'
    b'inference.StatisticDurationR\x0ccomputeInput\x12A\n\rcompute_inf'
    b'er\x18\x05 \x01(\x0b2\x1c.inference.StatisticDurationR\x0ccomputeInfer\x12C\n\x0e'
    b'compute_output\x18\x06 \x01(\x0b2\x1c.inference.StatisticDurationR\rcomp'
    b'uteOutput\x129\n\tcache_hit\x18\x07 \x01(\x0b2\x1c.inference.StatisticDurati'
    b'onR\x08cacheHit\x12;\n\ncache_miss\x18\x08 \x01(\x0b2\x1c.inference.StatisticDu'
    b'rationR\tcacheMiss"\x80\x02\n\x14InferBatchStatistics\x12\x1d\n\nbatch_size'
    b'\x18\x01 \x01(\x04R\tbatchSize\x12A\n\rcompute_input\x18\x02 \x01(\x0b2\x1c.inference.Sta'
    b'tisticDurationR\x0ccomputeInput\x12A\n\rcompute_infer\x18\x03 \x01(\x0b2\x1c.in'
    b'ference.StatisticDurationR\x0ccomputeInfer\x12C\n\x0ecompute_outpu'
    b't\x18\x04 \x01(\x0b2\x1c.inference.StatisticDurationR\rcomputeOutput"N\n\x0b'
    b'MemoryUsage\x12\x12\n\x04type\x18\x01 \x01(\tR\x04type\x12\x0e\n\x02id\x18\x02 \x01(\x03R\x02id\x12\x1b\n\tbyte_'
    b'size\x18\x03 \x01(\x04R\x08byteSize"\xfa\x02\n\x0fModelStatistics\x12\x12\n\x04name\x18\x01 \x01(\tR\x04'
    b'name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version\x12%\n\x0elast_inference\x18\x03 \x01(\x04R\r'
    b"lastInference\x12'\n\x0finference_count\x18\x04 \x01(\x04R\x0einferenceCount\x12'"
    b'\n\x0fexecution_count\x18\x05 \x01(\x04R\x0eexecutionCount\x12C\n\x0finference_sta'
    b'ts\x18\x06 \x01(\x0b2\x1a.inference.InferStatisticsR\x0einferenceStats\x12@\n\x0b'
    b'batch_stats\x18\x07 \x03(\x0b2\x1f.inference.InferBatchStatisticsR\nbatc'
    b'hStats\x129\n\x0cmemory_usage\x18\x08 \x03(\x0b2\x16.inference.MemoryUsageR\x0bme'
    b'moryUsage"V\n\x17ModelStatisticsResponse\x12;\n\x0bmodel_stats\x18\x01 \x03('
    b'\x0b2\x1a.inference.ModelStatisticsR\nmodelStats"\xba\x01\n\x18ModelRepos'
    b'itoryParameter\x12\x1f\n\nbool_param\x18\x01 \x01(\x08H\x00R\tboolParam\x12!\n\x0bint64'
    b'_param\x18\x02 \x01(\x03H\x00R\nint64Param\x12#\n\x0cstring_param\x18\x03 \x01(\tH\x00R\x0bstri'
    b'ngParam\x12!\n\x0bbytes_param\x18\x04 \x01(\x0cH\x00R\nbytesParamB\x12\n\x10parameter_'
    b'choice"W\n\x16RepositoryIndexRequest\x12\'\n\x0frepository_name\x18\x01 \x01('
    b'\tR\x0erepositoryName\x12\x14\n\x05ready\x18\x02 \x01(\x08R\x05ready"\xca\x01\n\x17RepositoryIn'
    b'dexResponse\x12E\n\x06models\x18\x01 \x03(\x0b2-.inference.RepositoryIndexR'
    b'esponse.ModelIndexR\x06models\x1ah\n\nModelIndex\x12\x12\n\x04name\x18\x01 \x01(\tR\x04'
    b'name\x12\x18\n\x07version\x18\x02 \x01(\tR\x07version\x12\x14\n\x05state\x18\x03 \x01(\tR\x05state\x12\x16\n\x06'
    b'reason\x18\x04 \x01(\tR\x06reason"\x9f\x02\n\x1aRepositoryModelLoadRequest\x12\'\n\x0fr'
    b'epository_name\x18\x01 \x01(\tR\x0erepositoryName\x12\x1d\n\nmodel_name\x18\x02 \x01(\t'
    b'R\tmodelName\x12U\n\nparameters\x18\x03 \x03(\x0b25.inference.RepositoryMo'
    b'delLoadRequest.ParametersEntryR\nparameters\x1ab\n\x0fParameters'
    b'Entry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x129\n\x05value\x18\x02 \x01(\x0b2#.inference.Model'
    b'RepositoryParameterR\x05value:\x028\x01"\x1d\n\x1bRepositoryModelLoadRes'
    b'ponse"\xa3\x02\n\x1cRepositoryModelUnloadRequest\x12\'\n\x0frepository_nam'
    b'e\x18\x01 \x01(\tR\x0erepositoryName\x12\x1d\n\nmodel_name\x18\x02 \x01(\tR\tmodelName\x12W'
    b'\n\nparameters\x18\x03 \x03(\x0b27.inference.RepositoryModelUnloadRequ'
    b'est.ParametersEntryR\nparameters\x1ab\n\x0fParametersEntry\x12\x10\n\x03ke'
    b'y\x18\x01 \x01(\tR\x03key\x129\n\x05value\x18\x02 \x01(\x0b2#.inference.ModelRepositoryP'
    b'arameterR\x05value:\x028\x01"\x1f\n\x1dRepositoryModelUnloadResponse*\xfa\x01\n'
    b'\x08DataType\x12\x10\n\x0cTYPE_INVALID\x10\x00\x12\r\n\tTYPE_BOOL\x10\x01\x12\x0e\n\nTYPE_UINT8'
    b'\x10\x02\x12\x0f\n\x0bTYPE_UINT16\x10\x03\x12\x0f\n\x0bTYPE_UINT32\x10\x04\x12\x0f\n\x0bTYPE_UINT64\x10\x05\x12\r\n'
    b'\tTYPE_INT8\x10\x06\x12\x0e\n\nTYPE_INT16\x10\x07\x12\x0e\n\nTYPE_INT32\x10\x08\x12\x0e\n\nTYPE_INT'
    b'64\x10\t\x12\r\n\tTYPE_FP16\x10\n\x12\r\n\tTYPE_FP32\x10\x0b\x12\r\n\tTYPE_FP64\x10\x0c\x12\x0f\n\x0bTYP'
    b'E_STRING\x10\r\x12\r\n\tTYPE_BF16\x10\x0e2\xb7\x08\n\x14GRPCInferenceService\x12K\n\nSe'
    b'rverLive\x12\x1c.inference.ServerLiveRequest\x1a\x1d.inference.Serve'
    b'rLiveResponse"\x00\x12N\n\x0bServerReady\x12\x1d.inference.ServerReadyRe'
    b'quest\x1a\x1e.inference.ServerReadyResponse"\x00\x12K\n\nModelReady\x12\x1c.'
    b'inference.ModelReadyRequest\x1a\x1d.inference.ModelReadyRespon'
    b'se"\x00\x12W\n\x0eServerMetadata\x12 .inference.ServerMetadataRequest'
    b'\x1a!.inference.ServerMetadataResponse"\x00\x12T\n\rModelMetadata\x12\x1f'
    b'.inference.ModelMetadataRequest\x1a .inference.ModelMetadat'
    b'aResponse"\x00\x12K\n\nModelInfer\x12\x1c.inference.ModelInferRequest\x1a'
    b'\x1d.inference.ModelInferResponse"\x00\x12[\n\x10ModelStreamInfer\x12\x1c.i'
    b'nference.ModelInferRequest\x1a#.inference.ModelStreamInferR'
    b'esponse"\x00(\x010\x01\x12N\n\x0bModelConfig\x12\x1d.inference.ModelConfigRequ'
    b'est\x1a\x1e.inference.ModelConfigResponse"\x00\x12Z\n\x0fModelStatistics'
    b'\x12!.inference.ModelStatisticsRequest\x1a".inference.ModelSta'
    b'tisticsResponse"\x00\x12Z\n\x0fRepositoryIndex\x12!.inference.Reposit'
    b'oryIndexRequest\x1a".inference.RepositoryIndexResponse"\x00\x12f\n'
    b'\x13RepositoryModelLoad\x12%.inference.RepositoryModelLoadRequ'
    b'est\x1a&.inference.RepositoryModelLoadResponse"\x00\x12l\n\x15Reposit'
    b"oryModelUnload\x12'.inference.RepositoryModelUnloadRequest\x1a"
    b'(.inference.RepositoryModelUnloadResponse"\x00b\x06proto3'
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
